"""Which group Coder has by that name or id, in the shared list or read for this reconcile."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from coder_enterprise.client import records
from coder_enterprise.client.clock import now
from coder_enterprise.client.indexes import UserIndex
from coder_enterprise.kinds.group.hidden_members import hidden
from coder_enterprise.kinds.group.spec import CREATABLE
from coder_enterprise.kinds.machinery.base import Context, Observation
from coder_enterprise.kinds.machinery.lookups import or_none


@dataclass(frozen=True, kw_only=True)
class ObservedGroup(Observation):
    organization: records.Organization
    name: str
    """As declared."""
    group: records.Group | None
    members: Mapping[str, str | None]
    """Each declared user, and the id; None when there is no such user in the organization yet."""
    users: UserIndex
    look_in: float | None = None
    """Seconds until those who do not exist are looked for again."""

    @property
    def desired_ids(self) -> set[str]:
        return {user_id for user_id in self.members.values() if user_id}

    def members_with(self, known: Iterable[str]) -> frozenset[str]:
        """Whom Coder shows, and those among `known` whom it hides."""
        if self.group is None:
            return frozenset()
        return self.group.member_ids | hidden(self.users, self.group, known)

    @property
    def pending(self) -> tuple[str, ...]:
        return tuple(reference for reference, user_id in self.members.items() if user_id is None)


async def recall_group(
    context: Context, organization: records.Organization, name: str, recorded_id: str | None
) -> tuple[records.Group | None, bool]:
    """From the shared list. That a name is free needs no second look: Coder itself refuses a taken one."""
    index = await context.directory.groups(organization.id).get()
    if recorded_id is None:
        group = index.by_name.get(name)
        return group, group is None
    return index.by_id.get(recorded_id), False


async def read_group(
    context: Context, organization: records.Organization, name: str, recorded_id: str | None
) -> tuple[records.Group | None, bool]:
    groups = context.client.groups
    if recorded_id is not None:
        group = await or_none(groups.get(recorded_id))
        if group is not None:
            context.directory.put_group(group)
            return group, True
        context.directory.drop_group(recorded_id)
    if not re.fullmatch(CREATABLE, name):  # servers read a path with a slash in different ways
        index = await context.directory.groups(organization.id).get(newer_than=now())
        return index.by_name.get(name), True
    group = await or_none(groups.by_name(organization.id, name))
    if group is not None:
        context.directory.put_group(group)
    return group, True
