"""Reads what `audit` has noted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from coder_enterprise.server import access, names
from coder_enterprise.server.access import Action, Actor, Kind, Subject
from coder_enterprise.server.services import search
from coder_enterprise.server.services.users import Page, to_wire
from coder_enterprise.server.storage import audit, users
from coder_enterprise.server.storage.audit import Entry, Filter
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.wire.audit import AuditLog, AuditLogs, Difference
from coder_enterprise.wire.users import SDKUser

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1000
"""Entries of one page."""
MAX_COUNT: Final = 10_000
"""More are not counted."""

_NO_ID: Final = UUID(int=0)
_VERBS: Final = {"create": "created", "write": "updated", "delete": "deleted", "login_failed": "failed to log in as"}


class Audit:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, actor: Actor, query: str, page: Page) -> AuditLogs:
        """Newest first, at most `MAX_LIMIT`. Raises `Forbidden`, and `BadRequest` for a query that cannot be read."""
        access.require(actor, Action.READ, Subject(Kind.AUDIT_LOG))
        which = _parse(query)

        def work(connection: Connection) -> AuditLogs:
            limit = min(page.limit or DEFAULT_LIMIT, MAX_LIMIT)
            found = audit.page(connection, which, limit, page.offset)
            joined = users.organizations_of(connection, list({user.id for _, user in found if user}))
            logs = [_to_wire(entry, to_wire(user, joined[user.id]) if user else None) for entry, user in found]
            return AuditLogs.model_construct(audit_logs=logs, count=audit.count(connection, which, MAX_COUNT))

        return await self._database.read(work)


def _parse(query: str) -> Filter:
    """`username:olivia action:delete group`: the free term is the type of a resource. Raises `BadRequest`."""
    values = search.parse(query, ("resource_type", "action", "username"))
    return Filter(
        resource_type=values.get("resource_type") or values.get(search.FREE, ""),
        action=values.get("action", ""),
        username=values.get("username", ""),
    )


def _to_wire(entry: Entry, user: SDKUser | None) -> AuditLog:
    resource_id = names.as_uuid(entry.resource_id)
    who = user.username if user else "Somebody" if entry.ip else "The server"
    verb = _VERBS.get(entry.action, entry.action)
    return AuditLog.model_construct(
        id=UUID(int=entry.id),
        time=entry.time,
        resource_type=entry.resource_type,
        resource_id=resource_id or _NO_ID,
        resource_target=entry.resource_name,
        action=entry.action,
        diff=_difference(entry.before or {}, entry.after or {}),
        description=f"{who} {verb} {entry.resource_type.replace('_', ' ')} {entry.resource_name}",
        user=user,
        ip=entry.ip,
        request_id=entry.request_id,
        additional_fields={} if resource_id else {"resource_id": entry.resource_id},
    )


def _difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Difference]:
    return {
        field: Difference(old=before.get(field), new=after.get(field))
        for field in sorted({*before, *after})
        if before.get(field) != after.get(field)
    }
