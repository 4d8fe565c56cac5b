"""Users. A deleted user's row stays, so that old references can be explained; the names become free."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Select, bindparam, func, insert, select, update

from coder_enterprise.server.storage.database import Connection, unique
from coder_enterprise.server.storage.schema import organization_members, users


class User(NamedTuple):
    id: UUID
    username: str
    email: str
    name: str
    password_hash: str
    login_type: str
    status: str
    roles: list[str]
    avatar_url: str
    deleted: bool
    created_at: datetime
    updated_at: datetime
    last_seen_at: datetime


COLUMNS = tuple(users.c[name] for name in User._fields)
_LIVING = select(*COLUMNS).where(~users.c.deleted)
# Statements are built once: building one costs more than running it.
_GET = select(*COLUMNS).where(users.c.id == bindparam("user_id"))
_BY_USERNAME = select(*COLUMNS).where(users.c.username_key == bindparam("key"))
_BY_EMAIL = select(*COLUMNS).where(users.c.email_key == bindparam("key"))


class Filter(NamedTuple):
    """Which users a list holds; empty means all that are not deleted."""

    term: str = ""
    """Part of the username or of the e-mail, in lower case."""
    statuses: tuple[str, ...] = ()
    only: UUID | None = None


def create(connection: Connection, user: User) -> None:
    """Raises `Duplicate` when the username or the e-mail is taken, in any case."""
    keys = {"username_key": user.username.lower(), "email_key": user.email.lower()}
    with unique(connection):
        connection.execute(insert(users), user._asdict() | keys)


def get(connection: Connection, user_id: UUID) -> User | None:
    """Also one that is deleted."""
    row = connection.execute(_GET, {"user_id": user_id}).first()
    return User(*row) if row else None


def by_username(connection: Connection, username: str) -> User | None:
    row = connection.execute(_BY_USERNAME, {"key": username.lower()}).first()
    return User(*row) if row else None


def by_email(connection: Connection, email: str) -> User | None:
    row = connection.execute(_BY_EMAIL, {"key": email.lower()}).first()
    return User(*row) if row else None


def page(connection: Connection, which: Filter, limit: int | None, offset: int) -> list[User]:
    """By username; `limit` None is all."""
    query = _filtered(_LIVING, which).order_by(users.c.username_key).offset(offset).limit(limit)
    return [User(*row) for row in connection.execute(query)]


def count(connection: Connection, which: Filter = Filter()) -> int:  # noqa: B008 - it is immutable
    query = _filtered(select(func.count()).select_from(users).where(~users.c.deleted), which)
    return int(connection.execute(query).scalar_one())


def update_fields(connection: Connection, user_id: UUID, values: Mapping[str, Any]) -> None:
    """Raises `Duplicate` when the username or the e-mail is taken."""
    keys = {f"{name}_key": values[name].lower() for name in ("username", "email") if name in values}
    with unique(connection) if keys else nullcontext():
        connection.execute(update(users).where(users.c.id == user_id).values(**values, **keys))


def delete(connection: Connection, user_id: UUID, moment: datetime) -> None:
    """Frees the names; the row stays."""
    update_fields(connection, user_id, {"deleted": True, "username_key": None, "email_key": None, "updated_at": moment})


def organizations_of(connection: Connection, user_ids: list[UUID]) -> dict[UUID, list[UUID]]:
    """For each user the organizations that the user belongs to."""
    found: dict[UUID, list[UUID]] = {user_id: [] for user_id in user_ids}
    query = select(organization_members.c.user_id, organization_members.c.organization_id)
    if len(user_ids) <= _MANY:
        query = query.where(organization_members.c.user_id.in_(user_ids))
    for user_id, organization_id in connection.execute(query):
        if user_id in found:
            found[user_id].append(organization_id)
    return found


_MANY = 500


def _filtered(query: Select[Any], which: Filter) -> Select[Any]:
    if which.only is not None:
        query = query.where(users.c.id == which.only)
    if which.statuses:
        query = query.where(users.c.status.in_(which.statuses))
    if which.term:
        matches = [users.c[name].contains(which.term, autoescape=True) for name in ("username_key", "email_key")]
        query = query.where(matches[0] | matches[1])
    return query
