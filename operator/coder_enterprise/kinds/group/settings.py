"""What Coder keeps of a group beside its members: what is sent when it is made, and when it changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from coder_enterprise.client import errors, records
from coder_enterprise.kinds.group.find import ObservedGroup
from coder_enterprise.kinds.group.spec import GroupSpec
from coder_enterprise.kinds.machinery.base import Context
from coder_enterprise.kinds.machinery.changes import Action, Change, Setting, paths_of
from coder_enterprise.kinds.machinery.lookups import just_made
from coder_enterprise.wire.groups import CreateGroupRequest, PatchGroupRequest

NAME: Final = "spec.name"
SETTINGS: Final = (
    ("display_name", "spec.displayName"),
    ("avatar_url", "spec.avatarURL"),
    ("quota_allowance", "spec.quotaAllowance"),
)


def settings(desired: GroupSpec, name: str, group: records.Group) -> list[Setting]:
    declared = (Setting(path, getattr(desired, field), getattr(group, field)) for field, path in SETTINGS)
    return [Setting(NAME, name, group.name), *declared]


async def create(context: Context, desired: GroupSpec, observed: ObservedGroup) -> records.Group:
    values = {field: getattr(desired, field) for field, _ in SETTINGS if getattr(desired, field) is not None}
    try:
        return await context.client.groups.create(
            observed.organization.id, CreateGroupRequest(name=observed.name, **values)
        )
    except errors.AlreadyTaken as error:
        raise just_made(f"a group named {observed.name}", error) from None


def patch_request(desired: GroupSpec, observed: ObservedGroup, changes: Sequence[Change]) -> PatchGroupRequest:
    paths = paths_of(changes)
    values: dict[str, Any] = {field: getattr(desired, field) for field, path in SETTINGS if path in paths}
    if NAME in paths:
        values["name"] = observed.name
    for action, field in ((Action.ADD, "add_users"), (Action.REMOVE, "remove_users")):
        subjects = [change.subject for change in changes if change.action is action]
        if subjects:
            values[field] = subjects
    return PatchGroupRequest(**values)
