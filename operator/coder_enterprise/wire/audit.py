"""The audit log, as the API shows it.

The contract page has none of it; names and types are those of Coder's Go SDK, but for `request_id`, which is text
because clients may bring their own.
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
    """Null is the server itself, or somebody who is not known."""
    ip: str
    """The client's address, "" for the server's own work and for entries of older versions."""
    request_id: str
    additional_fields: dict[str, str]


class AuditLogs(WireModel):
    audit_logs: list[AuditLog]
    count: int
    """Of all that match, up to 10,000."""


AUDIT_LOGS: Final[Shape[AuditLogs]] = Shape(View(AuditLogs))
