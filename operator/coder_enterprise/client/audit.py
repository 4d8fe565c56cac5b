"""The calls about Coder's audit log: who changed what.

Part of `client.coder.CoderClient`.
"""

from __future__ import annotations

from typing import Any

from pydantic import AwareDatetime, Field

from coder_enterprise.client.calls import Calls
from coder_enterprise.client.records import Many, Map, Record


class AuditUser(Record):
    username: str = ""


class AuditLog(Record):
    time: AwareDatetime
    resource_type: str
    resource_id: str
    action: str
    status_code: int = 0
    user: AuditUser | None = None
    """None is the server itself, or somebody who is not known."""
    user_agent: str = ""
    additional_fields: Map[Any] = Field(default_factory=dict)

    @property
    def ids(self) -> frozenset[str]:
        """Of what was changed: some servers keep an id that is no UUID in the additional fields."""
        other = self.additional_fields.get("resource_id")
        return frozenset({self.resource_id, *([other] if isinstance(other, str) else ())})


class AuditLogs(Record):
    audit_logs: Many[AuditLog]


class AuditCalls(Calls):
    async def search(self, query: str, limit: int) -> tuple[AuditLog, ...]:
        """The newest first. Raises `errors.Forbidden` for whoever is neither owner nor auditor."""
        answer = await self._transport.get("audit.list", "/audit", AuditLogs, q=query, limit=limit)
        return answer.audit_logs
