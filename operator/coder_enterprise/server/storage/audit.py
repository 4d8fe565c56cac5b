"""Who changed what: one row per change, in the transaction of the change."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Select, func, insert, select

from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.schema import audit_log, users
from coder_enterprise.server.storage.users import COLUMNS, User

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
    ip: str = "",
    request_id: str = "",
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
            "ip": ip,
            "request_id": request_id,
        },
    )


class Entry(NamedTuple):
    id: int
    time: datetime
    user_id: UUID | None
    action: str
    resource_type: str
    resource_id: str
    resource_name: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    ip: str
    request_id: str


class Filter(NamedTuple):
    """Which entries a list holds, in lower case; empty means all."""

    resource_type: str = ""
    action: str = ""
    username: str = ""


_JOINED = audit_log.outerjoin(users, users.c.id == audit_log.c.user_id)
_PAGE = select(audit_log, *COLUMNS).select_from(_JOINED).order_by(audit_log.c.id.desc())
_IDS = select(audit_log.c.id)


def page(connection: Connection, which: Filter, limit: int, offset: int) -> list[tuple[Entry, User | None]]:
    """Newest first, with who did it: None is the server itself."""
    width = len(Entry._fields)
    rows = connection.execute(_filtered(_PAGE, which).limit(limit).offset(offset))
    return [(Entry(*row[:width]), User(*row[width:]) if row[width] else None) for row in rows]


def count(connection: Connection, which: Filter, limit: int) -> int:
    """At most `limit`: it is not worth looking at more."""
    found = _filtered(_IDS, which).limit(limit).subquery()
    return int(connection.execute(select(func.count()).select_from(found)).scalar_one())


def _filtered(query: Select[Any], which: Filter) -> Select[Any]:
    if which.resource_type:
        query = query.where(audit_log.c.resource_type == which.resource_type)
    if which.action:
        query = query.where(audit_log.c.action == which.action)
    if which.username:
        named = select(users.c.id).where(func.lower(users.c.username) == which.username)
        query = query.where(audit_log.c.user_id.in_(named))
    return query
