"""Users. A deleted user's row stays, so that old references can be explained; the names become free."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Select, String, bindparam, cast, func, insert, or_, select, update

from coder_enterprise.server.storage.connection import Connection, unique
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
_AMONG_LIVING = select(users.c.id).where(~users.c.deleted, users.c.id.in_(bindparam("user_ids", expanding=True)))
_BY_IDS = select(*COLUMNS).where(users.c.id.in_(bindparam("user_ids", expanding=True)))
_BY_USERNAME = select(*COLUMNS).where(users.c.username_key == bindparam("key"))
_BY_EMAIL = select(*COLUMNS).where(users.c.email_key == bindparam("key"))


class Filter(NamedTuple):
    """Which users a list holds; empty means all that are not deleted."""

    term: str = ""
    """Part of the username or of the e-mail, in lower case."""
    in_emails: bool = True
    """Whether the term may be part of the e-mail."""
    statuses: tuple[str, ...] = ()
    only: UUID | None = None
    roles: tuple[str, ...] = ()
    """With any of them."""
    last_seen_before: datetime | None = None
    last_seen_after: datetime | None = None


def create(connection: Connection, user: User) -> None:
    """Raises `Duplicate` when the username or the e-mail is taken, in any case."""
    keys = {"username_key": user.username.lower(), "email_key": user.email.lower()}
    with unique(connection):
        connection.execute(insert(users), user._asdict() | keys)


def get(connection: Connection, user_id: UUID) -> User | None:
    """Also one that is deleted."""
    row = connection.execute(_GET, {"user_id": user_id}).first()
    return User(*row) if row else None


def by_ids(connection: Connection, user_ids: Iterable[UUID]) -> list[User]:
    """Also those that are deleted."""
    return [User(*row) for row in connection.execute(_BY_IDS, {"user_ids": list(user_ids)})]


def by_username(connection: Connection, username: str) -> User | None:
    row = connection.execute(_BY_USERNAME, {"key": username.lower()}).first()
    return User(*row) if row else None


def by_email(connection: Connection, email: str) -> User | None:
    row = connection.execute(_BY_EMAIL, {"key": email.lower()}).first()
    return User(*row) if row else None


def oldest(connection: Connection, role: str) -> User | None:
    """Of those with that role, who was made first."""
    row = connection.execute(_filtered(_LIVING, Filter(roles=(role,))).order_by(users.c.created_at).limit(1)).first()
    return User(*row) if row else None


def living(connection: Connection, user_ids: Iterable[UUID]) -> set[UUID]:
    """Those of `user_ids` that there are, and that are not deleted."""
    return set(connection.execute(_AMONG_LIVING, {"user_ids": list(user_ids)}).scalars())


def page(
    connection: Connection, which: Filter, limit: int | None, offset: int, after_id: UUID | None = None
) -> list[User]:
    """By username; `limit` None is all, and nothing comes after a user whom nobody knows."""
    query = _filtered(_LIVING, which).order_by(users.c.username_key).offset(offset).limit(limit)
    if after_id is not None:
        last = select(func.lower(users.c.username)).where(users.c.id == after_id).scalar_subquery()
        query = query.where(users.c.username_key > last)
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
    if which.roles:
        stored = cast(users.c.roles, String)
        query = query.where(or_(*(stored.contains(f'"{role}"', autoescape=True) for role in which.roles)))
    if which.last_seen_before is not None:
        query = query.where(users.c.last_seen_at <= which.last_seen_before)
    if which.last_seen_after is not None:
        query = query.where(users.c.last_seen_at >= which.last_seen_after)
    if which.term:
        keys = ("username_key", "email_key") if which.in_emails else ("username_key",)
        query = query.where(or_(*(users.c[key].contains(which.term, autoescape=True) for key in keys)))
    return query
