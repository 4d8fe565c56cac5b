"""The audit log, as the API shows it.

The contract page has none of it; names and types are those of Coder's Go SDK. Of what Coder notes of a request,
nothing is kept.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from coder_enterprise.wire.common import WireModel
from coder_enterprise.wire.profiles import Shape, View
from coder_enterprise.wire.users import SDKUser


class Difference(WireModel):
    old: Any
    new: Any
    secret: bool = False


class AuditLog(WireModel):
    id: UUID
    time: datetime
    resource_type: str
    resource_id: UUID
    """All zeros for what has no UUID; then `additional_fields` has the id."""
    resource_target: str
    """The name."""
    action: str
    diff: dict[str, Difference]
    """By field."""
    description: str
    user: SDKUser | None
    """Null is the server itself."""
    additional_fields: dict[str, str]


class AuditLogs(WireModel):
    audit_logs: list[AuditLog]
    count: int
    """Of all that match."""


AUDIT_LOGS: Final[Shape[AuditLogs]] = Shape(View(AuditLogs))
