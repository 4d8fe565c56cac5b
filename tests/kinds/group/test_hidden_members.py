"""Members whom Coder does not show: added once, remembered, and in nobody's way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from coder_enterprise.client import errors, records
from coder_enterprise.client.indexes import UserIndex
from coder_enterprise.kinds.group.find import ObservedGroup
from coder_enterprise.kinds.machinery.base import Context
from tests.kinds.group.builders import GROUP_ID, KIND, USERS, body, group, observed, spec, user_id
from tests.support.scripted import Asked, Scripted

PATH = f"/groups/{GROUP_ID}"


def status_of(name: str, status: str) -> UserIndex:
    """The users, one of whom has that status."""
    users = [replace(user, status=status) if user.username == name else user for user in USERS.by_id.values()]
    return UserIndex(users)


def seen(found: records.Group, desired: Any, users: UserIndex) -> ObservedGroup:
    return replace(observed(desired, found), users=users)


class OldGroup:
    """A group of a Coder that hides who is not active, and refuses to add a member again."""

    def __init__(self, server: Scripted, *members: str, hidden: str) -> None:
        self.members = set(members)
        self._hidden = user_id(hidden)
        self.refused = 0
        server.reply(PATH, self._patch, method="PATCH")
        server.reply(PATH, lambda _: web.json_response(self._body()))

    def _patch(self, asked: Asked) -> web.Response:
        wanted = json.loads(asked.body)
        added = set(wanted.get("add_users") or ())
        if added & self.members:
            self.refused += 1
            return web.json_response({"message": "Cannot add the same user to a group twice!"}, status=400)
        self.members |= added
        self.members -= set(wanted.get("remove_users") or ())
        return web.json_response(self._body())

    def _body(self) -> Mapping[str, Any]:
        return body() | {"members": [{"id": member} for member in sorted(self.members - {self._hidden})]}


async def apply(context: Context, desired: Any, before: ObservedGroup, recorded: Mapping[str, Any]) -> dict[str, Any]:
    changes = KIND.plan(desired, before, recorded)
    after = await KIND.apply(context, desired, before, changes)
    return KIND.report(desired, after, changes, recorded)


@pytest.mark.parametrize("status", ["dormant", "suspended"])
async def test_a_hidden_member_is_added_once_and_remembered(server: Scripted, context: Context, status: str) -> None:
    OldGroup(server, hidden="bob")
    desired, users = spec(users=["ann", "bob"]), status_of("bob", status)
    before = seen(group(), desired, users)
    recorded = await apply(context, desired, before, {})
    assert recorded["hiddenMembers"] == [user_id("bob")]
    assert KIND.plan(desired, seen(group("ann"), desired, users), recorded) == []


async def test_a_hidden_member_does_not_keep_others_out(server: Scripted, context: Context) -> None:
    """It was added by somebody else, so that nothing is remembered of it."""
    old = OldGroup(server, user_id("bob"), hidden="bob")
    desired, users = spec(users=["ann", "bob", "cid"]), status_of("bob", "suspended")
    recorded = await apply(context, desired, seen(group(), desired, users), {})
    assert old.members == {user_id(name) for name in ("ann", "bob", "cid")}
    assert recorded["hiddenMembers"] == [user_id("bob")]
    assert old.refused == 2


async def test_a_hidden_member_who_is_not_declared_any_more_is_removed(server: Scripted, context: Context) -> None:
    old = OldGroup(server, user_id("ann"), user_id("bob"), hidden="bob")
    desired, users = spec(users=["ann"]), status_of("bob", "suspended")
    recorded = await apply(context, desired, seen(group("ann"), desired, users), {"hiddenMembers": [user_id("bob")]})
    assert old.members == {user_id("ann")}
    assert recorded["hiddenMembers"] is None


def test_a_member_who_is_active_again_is_compared_like_others() -> None:
    desired = spec(users=["bob"])
    changes = KIND.plan(desired, observed(desired, group()), {"hiddenMembers": [user_id("bob")]})
    assert [change.subject for change in changes] == [user_id("bob")]


def test_where_they_are_shown_nothing_is_remembered() -> None:
    desired, users = spec(users=["ann"]), status_of("ann", "dormant")
    before = seen(group(), desired, users)
    after = seen(group("ann"), desired, users)
    assert KIND.report(desired, after, KIND.plan(desired, before, {}), {})["hiddenMembers"] is None


def test_an_additive_group_remembers_that_it_added_them() -> None:
    desired, users = spec("Additive", ["ann"]), status_of("ann", "suspended")
    before = seen(group(), desired, users)
    fields = KIND.report(desired, before, KIND.plan(desired, before, {}), {})
    assert fields["managedMembers"] == fields["hiddenMembers"] == [user_id("ann")]


async def test_another_refusal_is_told(server: Scripted, context: Context) -> None:
    server.answer(PATH, {"message": "User is not in the organization."}, method="PATCH", status=400)
    desired, users = spec(users=["bob"]), status_of("bob", "suspended")
    with pytest.raises(errors.BadRequest, match="not in the organization"):
        await apply(context, desired, seen(group(), desired, users), {})
