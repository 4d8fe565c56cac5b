"""Users. A deleted user's row stays, so that old references can be explained; the names become free."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Select, String, bindparam, cast, false, func, insert, or_, select, update

from coder_enterprise.server.storage.among import among
from coder_enterprise.server.storage.connection import Connection, unique
from coder_enterprise.server.storage.periods import ALWAYS, Period, within
from coder_enterprise.server.storage.prepared import Prepared
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
_GET = Prepared(select(*COLUMNS).where(users.c.id == bindparam("user_id")))
_AMONG_LIVING = Prepared(select(users.c.id).where(~users.c.deleted, among(users.c.id, "user_ids")))
_BY_IDS = Prepared(select(*COLUMNS).where(among(users.c.id, "user_ids")))
_BY_USERNAME = Prepared(select(*COLUMNS).where(users.c.username_key == bindparam("key")))
_BY_EMAIL = Prepared(select(*COLUMNS).where(users.c.email_key == bindparam("key")))
_ORGANIZATIONS_OF = Prepared(
    select(organization_members.c.user_id, organization_members.c.organization_id).where(
        among(organization_members.c.user_id, "user_ids")
    )
)


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
    login_types: tuple[str, ...] = ()
    github_id: int = 0
    """Users here have none, so that another one than 0 finds nobody."""
    last_seen: Period = ALWAYS
    created: Period = ALWAYS
    after_id: UUID | None = None
    """Only who comes after this user by name; after one whom nobody knows comes nobody."""


def create(connection: Connection, user: User) -> None:
    """Raises `Duplicate` when the username or the e-mail is taken, in any case."""
    keys = {"username_key": user.username.lower(), "email_key": user.email.lower()}
    with unique(connection):
        connection.execute(insert(users), user._asdict() | keys)


def get(connection: Connection, user_id: UUID) -> User | None:
    """Also one that is deleted."""
    row = _GET.first(connection, {"user_id": user_id})
    return User(*row) if row else None


def by_ids(connection: Connection, user_ids: Iterable[UUID]) -> list[User]:
    """Also those that are deleted."""
    return [User(*row) for row in _BY_IDS.all(connection, {"user_ids": user_ids})]


def by_username(connection: Connection, username: str) -> User | None:
    row = _BY_USERNAME.first(connection, {"key": username.lower()})
    return User(*row) if row else None


def by_email(connection: Connection, email: str) -> User | None:
    row = _BY_EMAIL.first(connection, {"key": email.lower()})
    return User(*row) if row else None


def oldest(connection: Connection, role: str) -> User | None:
    """Of those with that role, who was made first."""
    row = connection.execute(_filtered(_LIVING, Filter(roles=(role,))).order_by(users.c.created_at).limit(1)).first()
    return User(*row) if row else None


def living(connection: Connection, user_ids: Iterable[UUID]) -> set[UUID]:
    """Those of `user_ids` that there are, and that are not deleted."""
    return {user_id for (user_id,) in _AMONG_LIVING.all(connection, {"user_ids": user_ids})}


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
    for user_id, organization_id in _ORGANIZATIONS_OF.all(connection, {"user_ids": user_ids}):
        found[user_id].append(organization_id)
    return found


def _filtered(query: Select[Any], which: Filter) -> Select[Any]:
    if which.only is not None:
        query = query.where(users.c.id == which.only)
    if which.statuses:
        query = query.where(users.c.status.in_(which.statuses))
    if which.roles:
        stored = cast(users.c.roles, String)
        query = query.where(or_(*(stored.contains(f'"{role}"', autoescape=True) for role in which.roles)))
    if which.login_types:
        query = query.where(users.c.login_type.in_(which.login_types))
    if which.github_id:
        query = query.where(false())
    query = within(query, users.c.last_seen_at, which.last_seen)
    query = within(query, users.c.created_at, which.created)
    if which.after_id is not None:
        last = select(func.lower(users.c.username)).where(users.c.id == which.after_id).scalar_subquery()
        query = query.where(users.c.username_key > last)
    if which.term:
        keys = ("username_key", "email_key") if which.in_emails else ("username_key",)
        query = query.where(or_(*(users.c[key].contains(which.term, autoescape=True) for key in keys)))
    return query
