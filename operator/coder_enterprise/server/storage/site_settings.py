"""Settings of the whole deployment that are changed while it runs: one JSON value per name."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, delete, insert, select

from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.schema import site_settings

_GET = select(site_settings.c.value).where(site_settings.c.name == bindparam("setting"))
_DELETE = delete(site_settings).where(site_settings.c.name == bindparam("setting"))


def get(connection: Connection, name: str) -> Any:
    """The value, or None."""
    return connection.execute(_GET, {"setting": name}).scalar()


def put(connection: Connection, name: str, value: Any) -> None:
    remove(connection, name)
    connection.execute(insert(site_settings), {"name": name, "value": value})


def remove(connection: Connection, name: str) -> None:
    connection.execute(_DELETE, {"setting": name})
