"""Schedules that users have set for their quiet hours."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import bindparam, delete, insert, select

from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.schema import quiet_hours

_GET = select(quiet_hours.c.schedule).where(quiet_hours.c.user_id == bindparam("of_user"))
_DELETE = delete(quiet_hours).where(quiet_hours.c.user_id == bindparam("of_user"))


def get(connection: Connection, user_id: UUID) -> str | None:
    schedule: str | None = connection.execute(_GET, {"of_user": user_id}).scalar()
    return schedule


def put(connection: Connection, user_id: UUID, schedule: str | None) -> None:
    """None forgets it."""
    connection.execute(_DELETE, {"of_user": user_id})
    if schedule is not None:
        connection.execute(insert(quiet_hours), {"user_id": user_id, "schedule": schedule})
