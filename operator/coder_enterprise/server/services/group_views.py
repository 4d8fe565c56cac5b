"""How groups are shown: to those who may not see people without them, but for themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from coder_enterprise.server import access
from coder_enterprise.server.access import Actor, Kind, Subject
from coder_enterprise.server.services.people import to_wire
from coder_enterprise.server.storage import groups, users
from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.groups import Group as GroupRow
from coder_enterprise.server.storage.users import User
from coder_enterprise.wire.groups import SDKGroup
from coder_enterprise.wire.users import SDKUser

PEOPLE: Final = Subject(Kind.USER)


def one(connection: Connection, actor: Actor, row: GroupRow) -> SDKGroup:
    return with_members(actor, row, groups.members(connection, row))


def with_members(actor: Actor, row: GroupRow, members: Sequence[User]) -> SDKGroup:
    """A group of which all members are known."""
    home, sees_others = [row.organization_id], access.sees(actor, PEOPLE)
    shown = [to_wire(user, home) for user in members if sees_others or user.id == actor.id]
    return _group(row, shown, len(members))


def all_to_wire(
    connection: Connection, actor: Actor, organization_id: UUID, rows: Sequence[GroupRow]
) -> list[SDKGroup]:
    """Groups of that organization: with two queries, however many they are."""
    if not access.sees(actor, PEOPLE):
        return _without_others(connection, actor, organization_id, rows)
    people = {
        user_id: to_wire(user, [organization_id])
        for user_id, user in groups.organization_users(connection, organization_id).items()
    }
    members: dict[UUID, list[SDKUser]] = {organization_id: list(people.values())}
    for group_id, user_id in groups.memberships(connection, organization_id):
        if user_id in people:
            members.setdefault(group_id, []).append(people[user_id])
    return [_group(row, found := members.get(row.id, []), len(found)) for row in rows]


def _without_others(
    connection: Connection, actor: Actor, organization_id: UUID, rows: Sequence[GroupRow]
) -> list[SDKGroup]:
    """For who may not read people: of the members only the actor, and how many there are."""
    counts = groups.member_counts(connection, organization_id)
    own = groups.group_ids_of(connection, actor.id)
    me = [to_wire(user, [organization_id]) for user in users.by_ids(connection, [actor.id])]
    return [_group(row, me if row.id in own else [], counts.get(row.id, 0)) for row in rows]


def _group(row: GroupRow, members: list[SDKUser], count: int) -> SDKGroup:
    """The row comes from the database, so it is not validated again."""
    return SDKGroup.model_construct(
        id=row.id,
        name=row.name,
        display_name=row.display_name,
        organization_id=row.organization_id,
        members=members,
        avatar_url=row.avatar_url,
        quota_allowance=row.quota_allowance,
        source=row.source,  # type: ignore[arg-type]
        total_member_count=count,
        organization_name=row.organization_name,
        organization_display_name=row.organization_display_name,
    )
