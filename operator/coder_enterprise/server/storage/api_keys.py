"""Session tokens, as hashes."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, delete, insert, select, update

from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.schema import api_keys, users
from coder_enterprise.server.storage.users import COLUMNS, User


class APIKey(NamedTuple):
    id: str
    """The part of the token before the hyphen."""
    secret_hash: bytes
    user_id: UUID
    purpose: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime | None


_KEY_COLUMNS = tuple(api_keys.c[name] for name in APIKey._fields)
_WITH_USER = select(*_KEY_COLUMNS, *COLUMNS).join(users).where(api_keys.c.id == bindparam("key_id"))


def create(connection: Connection, key: APIKey) -> None:
    connection.execute(insert(api_keys), key._asdict())


def get_with_user(connection: Connection, key_id: str) -> tuple[APIKey, User] | None:
    row = connection.execute(_WITH_USER, {"key_id": key_id}).first()
    if row is None:
        return None
    width = len(APIKey._fields)
    return APIKey(*row[:width]), User(*row[width:])


def touch(connection: Connection, key_id: str, used_at: datetime, expires_at: datetime | None) -> None:
    query = update(api_keys).where(api_keys.c.id == key_id)
    connection.execute(query.values(last_used_at=used_at, expires_at=expires_at))


def remove(connection: Connection, key_id: str) -> None:
    connection.execute(delete(api_keys).where(api_keys.c.id == key_id))


def remove_of_user(connection: Connection, user_id: UUID) -> None:
    connection.execute(delete(api_keys).where(api_keys.c.user_id == user_id))


def remove_other(connection: Connection, purpose: str, keep: str) -> None:
    """All keys of that purpose but one."""
    connection.execute(delete(api_keys).where(api_keys.c.purpose == purpose, api_keys.c.id != keep))
