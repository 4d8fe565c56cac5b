"""Workspace proxies. A deleted one's row stays, so that it can be read by its id; its name becomes free."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, insert, select, update

from coder_enterprise.server.storage.database import Connection, unique
from coder_enterprise.server.storage.schema import proxies


class Proxy(NamedTuple):
    id: UUID
    name: str
    display_name: str
    icon: str
    token_hash: bytes
    url: str
    """"" until it registers."""
    wildcard_hostname: str
    derp_enabled: bool
    derp_only: bool
    version: str
    deleted: bool
    created_at: datetime
    updated_at: datetime


_COLUMNS = tuple(proxies.c[name] for name in Proxy._fields)
_INSERT = insert(proxies)
_GET = select(*_COLUMNS).where(proxies.c.id == bindparam("proxy_id"))
_BY_NAME = select(*_COLUMNS).where(~proxies.c.deleted, proxies.c.name == bindparam("proxy_name"))
_LIVING = select(*_COLUMNS).where(~proxies.c.deleted).order_by(proxies.c.name_key)
_SERIAL = select(proxies.c.serial).where(proxies.c.id == bindparam("proxy_id"))


def create(connection: Connection, proxy: Proxy) -> None:
    """Raises `Duplicate` when the name is taken, in any case."""
    with unique(connection):
        connection.execute(_INSERT, proxy._asdict() | {"name_key": proxy.name.lower()})


def get(connection: Connection, proxy_id: UUID) -> Proxy | None:
    """Also one that is deleted."""
    row = connection.execute(_GET, {"proxy_id": proxy_id}).first()
    return Proxy(*row) if row else None


def by_name(connection: Connection, name: str) -> Proxy | None:
    """In exactly that case."""
    row = connection.execute(_BY_NAME, {"proxy_name": name}).first()
    return Proxy(*row) if row else None


def all_of(connection: Connection) -> list[Proxy]:
    """By name, without those that are deleted."""
    return [Proxy(*row) for row in connection.execute(_LIVING)]


def serial(connection: Connection, proxy_id: UUID) -> int:
    """Its number among all that ever were, from 1."""
    return int(connection.execute(_SERIAL, {"proxy_id": proxy_id}).scalar_one())


def update_fields(connection: Connection, proxy_id: UUID, values: Mapping[str, Any]) -> None:
    """Raises `Duplicate` like `create`."""
    key = {"name_key": values["name"].lower()} if "name" in values else {}
    with unique(connection):
        connection.execute(update(proxies).where(proxies.c.id == proxy_id).values(**values, **key))


def delete(connection: Connection, proxy_id: UUID, moment: datetime) -> None:
    """Frees the name; the row stays."""
    update_fields(connection, proxy_id, {"deleted": True, "updated_at": moment, "name_key": None})
