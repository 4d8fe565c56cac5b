"""Groups and their members. Everyone is the row whose id is its organization's; its members are the organization's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Uuid, and_, bindparam, delete, func, insert, or_, select, update

from coder_enterprise.server.storage.among import among
from coder_enterprise.server.storage.database import Connection, unique
from coder_enterprise.server.storage.drivers import Row
from coder_enterprise.server.storage.prepared import Prepared, Question
from coder_enterprise.server.storage.schema import (
    group_members,
    groups,
    organization_members,
    organizations,
    users,
)
from coder_enterprise.server.storage.users import COLUMNS, User


class Group(NamedTuple):
    id: UUID
    organization_id: UUID
    name: str
    display_name: str
    avatar_url: str
    quota_allowance: int
    source: str
    organization_name: str
    organization_display_name: str

    @property
    def is_everyone(self) -> bool:
        return self.id == self.organization_id


_INSERT = Prepared(insert(groups))
_ALL = select(groups, organizations.c.name, organizations.c.display_name).join(organizations)
_GET = Prepared(_ALL.where(groups.c.id == bindparam("group_id")))
_BY_NAME = Prepared(
    _ALL.where(groups.c.organization_id == bindparam("organization_id"), groups.c.name == bindparam("group_name"))
)
_OF_ORGANIZATION = Prepared(_ALL.where(groups.c.organization_id == bindparam("organization_id")))
_EXISTING = Prepared(select(groups.c.id).where(among(groups.c.id, "group_ids")))
_DELETE = delete(groups).where(groups.c.id == bindparam("group_id"))
_MEMBERS = Prepared(
    select(*COLUMNS).join(group_members).where(~users.c.deleted, group_members.c.group_id == bindparam("group_id"))
)
_WITH_MEMBERS = Prepared(
    _ALL.add_columns(*COLUMNS)
    .outerjoin(group_members, group_members.c.group_id == groups.c.id)
    .outerjoin(users, and_(users.c.id == group_members.c.user_id, ~users.c.deleted))
    .where(groups.c.id == bindparam("group_id"))
)
_ORGANIZATION_USERS = Prepared(
    select(*COLUMNS)
    .join(organization_members)
    .where(~users.c.deleted, organization_members.c.organization_id == bindparam("organization_id"))
)
_MEMBERSHIPS = Prepared(
    select(group_members.c.group_id, group_members.c.user_id)
    .join(groups)
    .where(groups.c.organization_id == bindparam("organization_id"))
)
_MEMBER_COUNTS = (
    select(group_members.c.group_id, func.count())
    .join(groups)
    .join(users, users.c.id == group_members.c.user_id)
    .where(~users.c.deleted, groups.c.organization_id == bindparam("organization_id"))
    .group_by(group_members.c.group_id)
    .union_all(
        select(organization_members.c.organization_id, func.count())
        .join(users)
        .where(~users.c.deleted, organization_members.c.organization_id == bindparam("organization_id"))
        .group_by(organization_members.c.organization_id)
    )
)
_MEMBER_IDS = Prepared(select(group_members.c.user_id).where(group_members.c.group_id == bindparam("group_id")))
_ADD_MEMBERS = Prepared(
    insert(group_members).from_select(
        ["group_id", "user_id"],
        select(bindparam("group_id", type_=Uuid()), users.c.id).where(among(users.c.id, "user_ids")),
    )
)
_REMOVE_MEMBERS = Prepared(
    delete(group_members).where(
        group_members.c.group_id == bindparam("group_id"), among(group_members.c.user_id, "user_ids")
    )
)
_GROUP_IDS_OF = Prepared(
    select(group_members.c.group_id)
    .where(group_members.c.user_id == bindparam("user_id"))
    .union_all(
        select(organization_members.c.organization_id).where(organization_members.c.user_id == bindparam("user_id"))
    )
)
_ALLOWANCE = (
    select(func.coalesce(func.sum(groups.c.quota_allowance), 0))
    .select_from(groups)
    .outerjoin(
        group_members,
        and_(group_members.c.group_id == groups.c.id, group_members.c.user_id == bindparam("user_id")),
    )
    .where(or_(group_members.c.user_id.is_not(None), groups.c.id == groups.c.organization_id))
)
_ALLOWANCE_IN = _ALLOWANCE.where(groups.c.organization_id == bindparam("organization_id"))


def create(connection: Connection, group: Group) -> None:
    """Raises `Duplicate` when the organization has a group of that name."""
    with unique(connection):
        _INSERT.run(connection, {column.name: getattr(group, column.name) for column in groups.c})


def get(connection: Connection, group_id: UUID) -> Group | None:
    row = _GET.first(connection, {"group_id": group_id})
    return Group(*row) if row else None


def with_members(group_id: UUID) -> Question[tuple[Group, list[User]] | None]:
    """As `get` and `members`; of Everyone without members, who are the organization's."""
    return Question(_WITH_MEMBERS, {"group_id": group_id}, _with_members)


def _with_members(rows: Sequence[Row]) -> tuple[Group, list[User]] | None:
    if not rows:
        return None
    width = len(Group._fields)
    return Group(*rows[0][:width]), [User(*row[width:]) for row in rows if row[width] is not None]


def by_name(connection: Connection, organization_id: UUID, name: str) -> Group | None:
    """The exact name."""
    row = _BY_NAME.first(connection, {"organization_id": organization_id, "group_name": name})
    return Group(*row) if row else None


def of_organization(connection: Connection, organization_id: UUID) -> list[Group]:
    return [Group(*row) for row in _OF_ORGANIZATION.all(connection, {"organization_id": organization_id})]


def existing(connection: Connection, group_ids: Iterable[UUID]) -> set[UUID]:
    """Those of `group_ids` that there are."""
    return {group_id for (group_id,) in _EXISTING.all(connection, {"group_ids": group_ids})}


def update_fields(connection: Connection, group_id: UUID, values: Mapping[str, Any]) -> None:
    """Raises `Duplicate` like `create`."""
    with unique(connection):
        connection.execute(update(groups).where(groups.c.id == group_id).values(**values))


def remove(connection: Connection, group_id: UUID) -> None:
    """With its memberships."""
    connection.execute(_DELETE, {"group_id": group_id})


def members(connection: Connection, group: Group) -> list[User]:
    """All that are not deleted, also suspended ones."""
    if group.is_everyone:
        return list(organization_users(connection, group.organization_id).values())
    return [User(*row) for row in _MEMBERS.all(connection, {"group_id": group.id})]


def memberships(connection: Connection, organization_id: UUID) -> Iterable[tuple[UUID, UUID]]:
    """Group id and user id of every membership in the organization's groups, but for Everyone."""
    rows = _MEMBERSHIPS.all(connection, {"organization_id": organization_id})
    return ((group_id, user_id) for group_id, user_id in rows)


def member_counts(connection: Connection, organization_id: UUID) -> dict[UUID, int]:
    """By group, Everyone among them, of those that have members who are not deleted."""
    rows = connection.execute(_MEMBER_COUNTS, {"organization_id": organization_id})
    return {row[0]: row[1] for row in rows}


def organization_users(connection: Connection, organization_id: UUID) -> dict[UUID, User]:
    """Everybody in the organization who is not deleted."""
    rows = _ORGANIZATION_USERS.all(connection, {"organization_id": organization_id})
    return {user.id: user for user in (User(*row) for row in rows)}


def member_ids(connection: Connection, group_id: UUID) -> set[UUID]:
    return {user_id for (user_id,) in _MEMBER_IDS.all(connection, {"group_id": group_id})}


def group_ids_of(connection: Connection, user_id: UUID) -> set[UUID]:
    """Groups that the user is in, and each Everyone of the user's organizations."""
    return {group_id for (group_id,) in _GROUP_IDS_OF.all(connection, {"user_id": user_id})}


def add_members(connection: Connection, group_id: UUID, user_ids: Iterable[UUID]) -> None:
    """Those that there are."""
    _ADD_MEMBERS.run(connection, {"group_id": group_id, "user_ids": user_ids})


def remove_members(connection: Connection, group_id: UUID, user_ids: Iterable[UUID]) -> None:
    _REMOVE_MEMBERS.run(connection, {"group_id": group_id, "user_ids": user_ids})


def allowance(connection: Connection, user_id: UUID, organization_id: UUID | None) -> int:
    """Credits a day: those of the user's groups, and of every Everyone, added up.

    None is every organization; Coder counts an Everyone there for all users, whose organization or not.
    """
    if organization_id is None:
        return int(connection.execute(_ALLOWANCE, {"user_id": user_id}).scalar_one())
    values = {"user_id": user_id, "organization_id": organization_id}
    return int(connection.execute(_ALLOWANCE_IN, values).scalar_one())
