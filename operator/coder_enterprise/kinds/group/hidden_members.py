"""Members of a group whom Coder does not show.

Some versions hide members who are dormant or suspended. What is not shown is not absent: such a member was added once,
is remembered in status, and is neither added again, which Coder would refuse together with everything else in the
request, nor taken for somebody who has left.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from coder_enterprise.client import errors, records
from coder_enterprise.client.indexes import UserIndex
from coder_enterprise.kinds.machinery.base import Context
from coder_enterprise.wire.groups import PatchGroupRequest

ACTIVE = "active"


def may_be_hidden(users: UserIndex, user_id: str) -> bool:
    user = users.by_id.get(user_id)
    return user is not None and user.status != ACTIVE


def hidden(users: UserIndex, group: records.Group, known: Iterable[str]) -> frozenset[str]:
    """Of the ids that are `known` to be members, those that Coder does not show."""
    return frozenset(user_id for user_id in known if may_be_hidden(users, user_id)) - group.member_ids


async def send(context: Context, users: UserIndex, group_id: str, request: PatchGroupRequest) -> records.Group:
    """The group as it is then. Where Coder refuses the request, those who may be members already do not hold up the
    rest: they are sent by themselves, one by one."""
    update_group = context.client.groups.update
    unsure = [user_id for user_id in request.add_users or () if may_be_hidden(users, user_id)]
    try:
        return await update_group(group_id, request)
    except (errors.BadRequest, errors.AlreadyTaken):
        if not unsure:
            raise
    sure = [user_id for user_id in request.add_users or () if user_id not in unsure]
    rest = request.model_dump(exclude_unset=True, exclude={"add_users"}) | ({"add_users": sure} if sure else {})
    group = await update_group(group_id, PatchGroupRequest(**rest)) if rest else None
    added = await _add_each(context, group_id, unsure)
    return added or group or await context.client.groups.get(group_id)


async def _add_each(context: Context, group_id: str, user_ids: Sequence[str]) -> records.Group | None:
    group = None
    for user_id in user_ids:
        try:
            group = await context.client.groups.update(group_id, PatchGroupRequest(add_users=[user_id]))
        except (errors.BadRequest, errors.AlreadyTaken) as error:
            if not _says_member(error):
                raise
    return group


def _says_member(error: errors.APIError) -> bool:
    """Coder has had several texts for it, all with one of these words."""
    return any(word in error.message.lower() for word in ("already", "twice"))
