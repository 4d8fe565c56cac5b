"""The groups that Coder has, as specs of CoderGroups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from coder_enterprise.client import records
from coder_enterprise.client.indexes import UserIndex
from coder_enterprise.kinds.group.spec import EVERYONE, MAX_MEMBERS
from coder_enterprise.kinds.machinery.base import Context
from coder_enterprise.kinds.machinery.declarations import Declaration, organization_of, without_blanks


async def group_declarations(context: Context) -> list[Declaration]:
    people = await context.directory.users.get()
    found = []
    for organization in await context.directory.organizations():
        index = await context.directory.groups(organization.id).get()
        found += [_declaration(group, organization, people) for group in index.by_id.values() if _worthwhile(group)]
    return found


def _worthwhile(group: records.Group) -> bool:
    """Everyone is there anyway: only its quota can be declared."""
    return not group.is_everyone or group.quota_allowance > 0


def _declaration(group: records.Group, organization: records.Organization, people: UserIndex) -> Declaration:
    spec: dict[str, Any] = {
        "organization": organization_of(organization.is_default, organization.name),
        "name": EVERYONE if group.is_everyone else group.name,
        "displayName": "" if group.is_everyone else group.display_name,
        "avatarURL": group.avatar_url,
        "quotaAllowance": group.quota_allowance,
    }
    members, notes = (
        (None, [f"{EVERYONE} is the organization itself"]) if group.is_everyone else _members(group, people)
    )
    return Declaration(
        external_id=group.id,
        title=EVERYONE if group.is_everyone else group.name,
        spec=without_blanks(spec | {"members": members}),
        name_field="name",
        organization=organization.name,
        at_home=organization.is_default,
        notes=tuple(notes),
    )


def _members(group: records.Group, people: UserIndex) -> tuple[dict[str, Any] | None, list[str]]:
    """None where members are better left alone."""
    if group.is_everyone:
        return None, [f"{EVERYONE} is the organization itself: only its quota and its picture can be declared"]
    if group.source == "oidc":
        return None, ["filled by the identity provider: members are left alone unless they are declared here"]
    if len(group.member_ids) > MAX_MEMBERS:
        return None, [f"has more than {MAX_MEMBERS} members, which is more than an object can declare"]
    notes = list(_notes(group, people))
    return {"mode": "Authoritative", "users": sorted(map(people.label, group.member_ids))}, notes


def _notes(group: records.Group, people: UserIndex) -> Iterator[str]:
    known = [people.by_id[member] for member in group.member_ids if member in people.by_id]
    suspended = sorted(user.email or user.username for user in known if user.is_suspended)
    if suspended:
        yield f"suspended: {', '.join(suspended)}"
    if len(known) < len(group.member_ids):
        yield "some members are not among the users that the token may see, and are named by their ids"
