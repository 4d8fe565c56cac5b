"""Session tokens, as hashes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, delete, insert, select, update

from coder_enterprise.server.scopes import EVERYTHING
from coder_enterprise.server.storage.connection import Connection, unique
from coder_enterprise.server.storage.drivers import Row
from coder_enterprise.server.storage.prepared import Prepared, Question
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
    name: str | None = None
    """Of a token; no two of a user have the same."""
    lifetime_seconds: int = 0
    scopes: Sequence[str] = (EVERYTHING,)
    """What it is narrowed to."""


_KEY_COLUMNS = tuple(api_keys.c[name] for name in APIKey._fields)
_WITH_USER = Prepared(select(*_KEY_COLUMNS, *COLUMNS).join(users).where(api_keys.c.id == bindparam("key_id")))
_USER_WITH = select(*COLUMNS).join(api_keys).where(api_keys.c.purpose == bindparam("key_purpose")).limit(1)
_OF_USER = select(*_KEY_COLUMNS).where(api_keys.c.user_id == bindparam("of_user"))
_BY_ID = _OF_USER.where(api_keys.c.id == bindparam("key_id"))
_BY_NAME = _OF_USER.where(api_keys.c.name == bindparam("key_name"))
_TOKENS = (
    select(*_KEY_COLUMNS, users.c.username)
    .join(users)
    .where(~users.c.deleted, api_keys.c.purpose == bindparam("key_purpose"))
    .order_by(api_keys.c.created_at, api_keys.c.id)
)
_TOKENS_OF_USER = _TOKENS.where(api_keys.c.user_id == bindparam("of_user"))


def create(connection: Connection, key: APIKey) -> None:
    """Raises `Duplicate` when the user has a key of that name."""
    with unique(connection):
        connection.execute(insert(api_keys), key._asdict())


def by_id(connection: Connection, user_id: UUID, key_id: str) -> APIKey | None:
    row = connection.execute(_BY_ID, {"of_user": user_id, "key_id": key_id}).first()
    return APIKey(*row) if row else None


def by_name(connection: Connection, user_id: UUID, name: str) -> APIKey | None:
    """The exact name."""
    row = connection.execute(_BY_NAME, {"of_user": user_id, "key_name": name}).first()
    return APIKey(*row) if row else None


def with_usernames(connection: Connection, purpose: str, user_id: UUID | None) -> list[tuple[APIKey, str]]:
    """The keys of that purpose, oldest first; `user_id` None is everybody's."""
    query, values = (_TOKENS, {}) if user_id is None else (_TOKENS_OF_USER, {"of_user": user_id})
    rows = connection.execute(query, {"key_purpose": purpose, **values})
    return [(APIKey(*row[:-1]), row[-1]) for row in rows]


def with_user(key_id: str) -> Question[tuple[APIKey, User] | None]:
    return Question(_WITH_USER, {"key_id": key_id}, _with_user)


def _with_user(rows: Sequence[Row]) -> tuple[APIKey, User] | None:
    if not rows:
        return None
    width = len(APIKey._fields)
    return APIKey(*rows[0][:width]), User(*rows[0][width:])


def get_with_user(connection: Connection, key_id: str) -> tuple[APIKey, User] | None:
    return with_user(key_id)(connection)


def user_with(connection: Connection, purpose: str) -> User | None:
    """Who has the key of that purpose: of its first, if there are several."""
    row = connection.execute(_USER_WITH, {"key_purpose": purpose}).first()
    return User(*row) if row else None


def touch(connection: Connection, key_id: str, used_at: datetime, expires_at: datetime | None) -> None:
    query = update(api_keys).where(api_keys.c.id == key_id)
    connection.execute(query.values(last_used_at=used_at, expires_at=expires_at))


def remove(connection: Connection, key_id: str) -> None:
    connection.execute(delete(api_keys).where(api_keys.c.id == key_id))


def remove_of_user(connection: Connection, user_id: UUID, keep: str = "") -> None:
    """But for those of the purpose `keep`."""
    connection.execute(delete(api_keys).where(api_keys.c.user_id == user_id, api_keys.c.purpose != keep))


def remove_other(connection: Connection, purpose: str, keep: str) -> None:
    """All keys of that purpose but one."""
    connection.execute(delete(api_keys).where(api_keys.c.purpose == purpose, api_keys.c.id != keep))
