"""Who changed what: one row per change, in the transaction of the change."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert

from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.schema import audit_log

_INSERT = insert(audit_log)


def record(
    connection: Connection,
    *,
    time: datetime,
    user_id: UUID | None,
    action: str,
    resource_type: str,
    resource_id: object,
    resource_name: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """`before` and `after` hold only what may be shown: no hash, no token."""
    connection.execute(
        _INSERT,
        {
            "time": time,
            "user_id": user_id,
            "action": action,
            "resource_type": resource_type,
            "resource_id": str(resource_id),
            "resource_name": resource_name,
            "before": before,
            "after": after,
        },
    )
