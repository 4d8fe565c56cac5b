"""Organizations, and who belongs to them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, delete, func, insert, select

from coder_enterprise.server.storage.among import among
from coder_enterprise.server.storage.database import Connection, unique
from coder_enterprise.server.storage.prepared import Prepared
from coder_enterprise.server.storage.schema import group_members, groups, organization_members, organizations, users
from coder_enterprise.server.storage.users import COLUMNS, User


class Organization(NamedTuple):
    id: UUID
    name: str
    display_name: str
    is_default: bool
    created_at: datetime
    updated_at: datetime


_GET = Prepared(select(organizations).where(organizations.c.id == bindparam("organization_id")))
_BY_NAME = Prepared(select(organizations).where(func.lower(organizations.c.name) == bindparam("lower_name")))
_DEFAULT = Prepared(select(organizations).where(organizations.c.is_default))
_ALL = select(organizations).order_by(organizations.c.name)
_OF_USER = _ALL.join(organization_members).where(organization_members.c.user_id == bindparam("user_id"))
_MEMBERS = (
    select(*COLUMNS, organization_members.c.created_at)
    .join(organization_members)
    .where(~users.c.deleted, organization_members.c.organization_id == bindparam("organization_id"))
    .order_by(users.c.username_key)
)
_MEMBER_SINCE = select(organization_members.c.created_at).where(
    organization_members.c.organization_id == bindparam("organization_id"),
    organization_members.c.user_id == bindparam("user_id"),
)
_MEMBERS_AMONG = Prepared(
    select(organization_members.c.user_id).where(
        organization_members.c.organization_id == bindparam("organization_id"),
        among(organization_members.c.user_id, "user_ids"),
    )
)


def create(connection: Connection, organization: Organization) -> None:
    connection.execute(insert(organizations), organization._asdict())


def get(connection: Connection, organization_id: UUID) -> Organization | None:
    row = _GET.first(connection, {"organization_id": organization_id})
    return Organization(*row) if row else None


def by_name(connection: Connection, name: str) -> Organization | None:
    """Without regard to case."""
    row = _BY_NAME.first(connection, {"lower_name": name.lower()})
    return Organization(*row) if row else None


def default(connection: Connection) -> Organization | None:
    row = _DEFAULT.first(connection)
    return Organization(*row) if row else None


def all_of(connection: Connection) -> list[Organization]:
    return [Organization(*row) for row in connection.execute(_ALL)]


def of_user(connection: Connection, user_id: UUID) -> list[Organization]:
    return [Organization(*row) for row in connection.execute(_OF_USER, {"user_id": user_id})]


def add_member(connection: Connection, organization_id: UUID, user_id: UUID, moment: datetime) -> None:
    """Raises `Duplicate` for one who is a member."""
    values = {"organization_id": organization_id, "user_id": user_id, "created_at": moment}
    with unique(connection):
        connection.execute(insert(organization_members), values)


def members(connection: Connection, organization_id: UUID, only: UUID | None = None) -> list[tuple[User, datetime]]:
    """By username, with the moment since which each belongs to it; without those who are deleted.

    `only` is one user: nobody else is looked for.
    """
    query = _MEMBERS if only is None else _MEMBERS.where(users.c.id == only)
    rows = connection.execute(query, {"organization_id": organization_id})
    return [(User(*row[:-1]), row[-1]) for row in rows]


def remove_member(connection: Connection, organization_id: UUID, user_id: UUID) -> bool:
    """Also from the organization's groups; whether the user was a member."""
    of_organization = select(groups.c.id).where(groups.c.organization_id == organization_id)
    connection.execute(
        delete(group_members).where(group_members.c.user_id == user_id, group_members.c.group_id.in_(of_organization))
    )
    found = connection.execute(
        delete(organization_members).where(
            organization_members.c.organization_id == organization_id, organization_members.c.user_id == user_id
        )
    )
    return found.rowcount > 0


def member_since(connection: Connection, organization_id: UUID, user_id: UUID) -> datetime | None:
    """None for one who is no member."""
    values = {"organization_id": organization_id, "user_id": user_id}
    since: datetime | None = connection.execute(_MEMBER_SINCE, values).scalar()
    return since


def members_among(connection: Connection, organization_id: UUID, user_ids: Iterable[UUID]) -> set[UUID]:
    """Those of `user_ids` that belong to the organization."""
    values = {"organization_id": organization_id, "user_ids": user_ids}
    return {user_id for (user_id,) in _MEMBERS_AMONG.all(connection, values)}
