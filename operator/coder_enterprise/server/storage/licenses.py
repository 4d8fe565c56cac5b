"""Licences, in the order in which they were added. An id is never used again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, delete, insert, select

from coder_enterprise.server.storage.database import Connection, unique
from coder_enterprise.server.storage.schema import licenses


@dataclass(frozen=True)
class License:
    id: int
    uuid: UUID
    """What the licence calls itself; another one may say the same."""
    token: str = field(repr=False)
    uploaded_at: datetime
    expires_at: datetime


_COLUMNS = (licenses.c.id, licenses.c.uuid, licenses.c.token, licenses.c.uploaded_at, licenses.c.expires_at)
_INSERT = insert(licenses).returning(licenses.c.id)
_ALL = select(*_COLUMNS).order_by(licenses.c.id)
_GET = select(*_COLUMNS).where(licenses.c.id == bindparam("license_id"))
_NOT_EXPIRED = _ALL.where(licenses.c.expires_at > bindparam("moment"))
_DELETE = delete(licenses).where(licenses.c.id == bindparam("license_id"))


def create(connection: Connection, *, uuid: UUID, token: str, uploaded_at: datetime, expires_at: datetime) -> License:
    """Raises `Duplicate` when this very licence is there."""
    values = {
        "uuid": uuid,
        "token": token,
        "token_digest": hashlib.sha256(token.encode()).digest(),
        "uploaded_at": uploaded_at,
        "expires_at": expires_at,
    }
    with unique(connection):
        license_id = connection.execute(_INSERT, values).scalar_one()
    return License(license_id, uuid, token, uploaded_at, expires_at)


def get(connection: Connection, license_id: int) -> License | None:
    row = connection.execute(_GET, {"license_id": license_id}).first()
    return License(*row) if row else None


def all_of(connection: Connection) -> list[License]:
    return [License(*row) for row in connection.execute(_ALL)]


def not_expired(connection: Connection, moment: datetime) -> list[License]:
    return [License(*row) for row in connection.execute(_NOT_EXPIRED, {"moment": moment})]


def remove(connection: Connection, license_id: int) -> None:
    connection.execute(_DELETE, {"license_id": license_id})
