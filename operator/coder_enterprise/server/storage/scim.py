"""What identity providers call people, beside what Coder calls them.

A user without an identity was made in Coder, and has the username as its name. An identity that was removed is
hidden as long as its user is suspended: whoever activates the user brings it back.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row, Select, String, bindparam, cast, func, insert, or_, select, update

from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.schema import scim_users, users
from coder_enterprise.server.storage.users import COLUMNS, User


class Identity(NamedTuple):
    user_id: UUID
    user_name: str
    external_id: str | None
    removed: bool
    details: dict[str, Any]
    """`name` and `emails`, as they were sent; what Coder has a column for is only there."""


class Person(NamedTuple):
    user: User
    identity: Identity | None

    @property
    def hidden(self) -> bool:
        return self.identity is not None and self.identity.removed and self.user.status == "suspended"


# Statements are built once: building one costs more than running it.
_IDENTITY = tuple(scim_users.c[name] for name in Identity._fields)
_ALL = select(*COLUMNS, *_IDENTITY).select_from(users.outerjoin(scim_users)).where(~users.c.deleted)
_SHOWN = or_(scim_users.c.removed.is_(None), ~scim_users.c.removed, users.c.status != "suspended")
_PAGE = _ALL.where(_SHOWN).order_by(users.c.username_key).offset(bindparam("offset")).limit(bindparam("limit"))
_EVERYBODY = _ALL.where(_SHOWN).order_by(users.c.username_key)
_COUNT = select(func.count()).select_from(users.outerjoin(scim_users)).where(~users.c.deleted, _SHOWN)
_GET = _ALL.where(users.c.id == bindparam("value"))
_BY_EMAIL = _ALL.where(users.c.email_key == bindparam("value"))
_BY_EXTERNAL_ID = _ALL.where(scim_users.c.external_id == bindparam("value"))
_BY_USER_NAME = _ALL.where(scim_users.c.user_name_key == bindparam("value"))
_BY_USERNAME = _ALL.where(users.c.username_key == bindparam("value"))
_INSERT = insert(scim_users)
_UPDATE = update(scim_users).where(scim_users.c.user_id == bindparam("identity_of"))


def page(connection: Connection, limit: int, offset: int) -> list[Person]:
    """By username, without the hidden."""
    return _people(connection.execute(_PAGE, {"limit": limit, "offset": offset}))


def everybody(connection: Connection) -> list[Person]:
    """By username, without the hidden."""
    return _people(connection.execute(_EVERYBODY))


def count(connection: Connection) -> int:
    """Without the hidden."""
    return int(connection.execute(_COUNT).scalar_one())


def get(connection: Connection, user_id: UUID) -> Person | None:
    """Also one that is hidden, as the functions below; none that is deleted."""
    found = _find(connection, _GET, user_id)
    return found[0] if found else None


def by_user_name(connection: Connection, user_name: str) -> list[Person]:
    """Without regard to case; the username of those who have no identity."""
    key = user_name.lower()
    made_in_coder = [person for person in _find(connection, _BY_USERNAME, key) if person.identity is None]
    return _find(connection, _BY_USER_NAME, key) + made_in_coder


def by_email(connection: Connection, email: str) -> list[Person]:
    """Without regard to case."""
    return _find(connection, _BY_EMAIL, email.lower())


def by_any_email(connection: Connection, email: str) -> list[Person]:
    """Without regard to case; also where it is only one of those that an identity provider sent. It may find more."""
    sent = func.lower(cast(scim_users.c.details, String)).contains(f'"{email.lower()}"', autoescape=True)
    return _people(connection.execute(_ALL.where(or_(users.c.email_key == email.lower(), sent))))


def by_external_id(connection: Connection, external_id: str) -> list[Person]:
    return _find(connection, _BY_EXTERNAL_ID, external_id)


def save(connection: Connection, identity: Identity) -> None:
    """Write it over the one that the user has, if any."""
    values = identity._asdict() | {"user_name_key": identity.user_name.lower()}
    if connection.execute(_UPDATE, values | {"identity_of": identity.user_id}).rowcount == 0:
        connection.execute(_INSERT, values)


def _find(connection: Connection, statement: Select[Any], value: object) -> list[Person]:
    return _people(connection.execute(statement, {"value": value}))


def _people(rows: Iterable[Row[Any]]) -> list[Person]:
    width = len(COLUMNS)
    return [Person(User(*row[:width]), Identity(*row[width:]) if row[width] is not None else None) for row in rows]
