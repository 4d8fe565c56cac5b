"""Who is in a group: whom spec names, what changes, and what status remembers of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from coder_enterprise.client import records
from coder_enterprise.client.indexes import UserIndex
from coder_enterprise.kinds.group.find import ObservedGroup
from coder_enterprise.kinds.group.hidden_members import hidden
from coder_enterprise.kinds.group.spec import GroupSpec, MemberMode
from coder_enterprise.kinds.machinery.base import Context
from coder_enterprise.kinds.machinery.changes import DRIFT, SUBJECT_GONE, Action, Change

MEMBERS: Final = "spec.members.users"


async def resolve_members(
    context: Context, organization: records.Organization, references: Sequence[str], *, fresh: bool
) -> tuple[UserIndex, dict[str, str | None]]:
    if not references:
        return context.directory.users.value or UserIndex(()), {}

    def resolve(users: UserIndex) -> dict[str, str | None]:
        return {reference: _member_id(users, organization, reference) for reference in references}

    def missing(users: UserIndex) -> list[str]:
        return [f"{organization.id}/{name}" for name, user_id in resolve(users).items() if user_id is None]

    users = await context.directory.users.search(missing, context.users_newer_than, fresh=fresh)
    return users, resolve(users)


def _member_id(users: UserIndex, organization: records.Organization, reference: str) -> str | None:
    user = users.find(reference)
    if user is None or (user.organization_ids and organization.id not in user.organization_ids):
        return None
    return user.id


def member_changes(desired: GroupSpec, observed: ObservedGroup, recorded: Mapping[str, Any]) -> list[Change]:
    mode = desired.member_mode
    if mode is MemberMode.UNMANAGED:
        return []
    current = observed.members_with(recorded.get("hiddenMembers") or ())
    wanted = observed.desired_ids
    surplus, event = current - wanted, DRIFT
    if mode is MemberMode.ADDITIVE:
        surplus &= set(recorded.get("managedMembers") or ())
        event = SUBJECT_GONE
    label = observed.users.label
    return [
        *(Change(Action.ADD, MEMBERS, after=label(user), subject=user) for user in sorted(wanted - current)),
        *(Change(Action.REMOVE, MEMBERS, before=label(user), subject=user, event=event) for user in sorted(surplus)),
    ]


def managed_members(
    desired: GroupSpec, observed: ObservedGroup, changes: Sequence[Change], recorded: Mapping[str, Any]
) -> list[str] | None:
    if desired.member_mode is not MemberMode.ADDITIVE or observed.group is None:
        return None
    known = added_members(changes) | set(recorded.get("managedMembers") or ())
    return sorted(known & observed.members_with(_known_hidden(changes, recorded))) or None


def hidden_fields(observed: ObservedGroup, changes: Sequence[Change], recorded: Mapping[str, Any]) -> list[str] | None:
    known = _known_hidden(changes, recorded)
    if observed.group is None or not known:
        return None
    return sorted(hidden(observed.users, observed.group, known) & observed.desired_ids) or None


def _known_hidden(changes: Sequence[Change], recorded: Mapping[str, Any]) -> set[str]:
    return added_members(changes) | set(recorded.get("hiddenMembers") or ())


def added_members(changes: Sequence[Change]) -> set[str]:
    return {change.subject for change in changes if change.action is Action.ADD}
