"""What is recorded, reported and sent of a group."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coder_enterprise.client import records
from coder_enterprise.kinds.group import GroupSpec
from coder_enterprise.kinds.group.spec import MAX_MEMBERS
from coder_enterprise.kinds.machinery.changes import Action, Change
from coder_enterprise.kinds.machinery.common import bounded
from tests.kinds.group.builders import (
    GROUP_ID,
    KIND,
    ORGANIZATION,
    group,
    groups,
    intent,
    observed,
    report,
    request,
    spec,
    specs,
    user_id,
)
from tests.support.structural import problems

STATUS_SCHEMA: Final = KIND.crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]


def test_who_will_be_added_is_recorded_first() -> None:
    expected = {"managedMembers": [user_id("ann"), user_id("bob")]}
    assert intent(spec("Additive", ["ann", "bob"]), group(), "bob") == expected
    assert intent(spec("Additive", ["ann"]), group(), "bob") == expected


@pytest.mark.parametrize(
    ("desired", "found"),
    [
        (spec("Authoritative", ["ann"]), group()),
        (spec("Additive", ["ann"]), group("ann")),
        (spec("Additive", ["ann"]), None),
        (spec(), group()),
    ],
)
def test_nothing_is_recorded_first_where_nothing_can_be_lost(desired: GroupSpec, found: records.Group | None) -> None:
    assert intent(desired, found) == {}


def test_as_many_members_as_spec_may_hold_can_all_be_replaced() -> None:
    old, new = ([str(UUID(int=start + number)) for number in range(MAX_MEMBERS)] for start in (0, 10_000))
    changes = [Change(Action.ADD, "spec.members.users", after=item, subject=item) for item in new]
    recorded = KIND.intent(spec("Additive", new), changes, {"managedMembers": old})
    assert list(problems(STATUS_SCHEMA, recorded)) == []


def test_status_tells_who_is_there_and_who_is_not() -> None:
    found = report(spec(users=["ann", "nobody"]), group("ann", "bob", source="oidc"))
    assert found == {
        "id": GROUP_ID,
        "name": "platform",
        "source": "oidc",
        "memberCount": 2,
        "unmanagedMembers": 1,
        "pendingMembers": ["nobody"],
        "managedMembers": None,
        "hiddenMembers": None,
    }


def test_a_group_that_is_not_there_clears_status() -> None:
    found = report(spec(users=["nobody"]), None)
    assert found.pop("pendingMembers") == ["nobody"]
    assert set(found.values()) == {None}


def test_the_members_of_everyone_are_not_counted() -> None:
    found = report(spec(name="Everyone"), group("ann", id=ORGANIZATION.id, name="Everyone"))
    assert found["memberCount"] is None
    assert found["unmanagedMembers"] is None


def test_whoever_left_by_hand_is_not_ours_any_more() -> None:
    found = report(spec("Additive", []), group("ann"), managedMembers=[user_id("ann"), user_id("bob")])
    assert found["managedMembers"] == [user_id("ann")]


def test_the_members_that_were_ours_are_forgotten_in_another_mode() -> None:
    assert report(spec(users=["ann"]), group("ann"), managedMembers=[user_id("ann")])["managedMembers"] is None


@given(specs, st.none() | groups)
def test_status_fits_into_its_schema(desired: GroupSpec, found: records.Group | None) -> None:
    shown = {key: value for key, value in report(desired, found).items() if value is not None}
    assert list(problems(STATUS_SCHEMA, shown)) == []


def test_a_name_that_only_old_servers_allow_fits_into_status() -> None:
    shown = report(spec(), group(name="x" * 1000))
    assert list(problems(STATUS_SCHEMA["properties"]["name"], shown["name"])) == []


def test_long_values_fit_into_pending_changes() -> None:
    desired = spec(avatarURL="/" + "b" * 2000)
    changes = KIND.plan(desired, observed(desired, group(avatar_url="/" + "a" * 5000)), {})
    pending = bounded([change.pending() for change in changes])
    assert list(problems(STATUS_SCHEMA["properties"]["pendingChanges"], pending)) == []


def test_many_pending_changes_are_counted() -> None:
    changes = [Change(Action.ADD, "spec.members.users", after=f"user-{number}") for number in range(250)]
    pending = bounded([change.pending() for change in changes])
    assert len(pending) == 101
    assert pending[-1] == {"path": "… and 150 more"}
    assert list(problems(STATUS_SCHEMA["properties"]["pendingChanges"], pending)) == []


@pytest.mark.parametrize(
    ("users", "expected"),
    [
        (["ann"], "applied"),
        (["ann", "x"], "applied, waiting for users to appear in organization coder: x"),
        (list("vwxyz"), "applied, waiting for users to appear in organization coder: v, w, x, y, z"),
        (list("uvwxyz"), "applied, waiting for users to appear in organization coder: u, v, w, x, y and 1 more"),
    ],
)
def test_people_who_are_not_there_yet_are_named(users: list[str], expected: str) -> None:
    desired = spec(users=users)
    assert KIND.verdict(desired, observed(desired, group())).message == expected


def test_only_the_difference_is_sent() -> None:
    desired = spec(users=["ann", "bob"], displayName="New", quotaAllowance=5)
    assert request(desired, group("ann", "cid", display_name="Old", quota_allowance=5)) == {
        "display_name": "New",
        "add_users": [user_id("bob")],
        "remove_users": [user_id("cid")],
    }


def test_a_name_is_sent_only_to_change_it() -> None:
    assert request(spec(displayName="New"), group()) == {"display_name": "New"}
    assert request(spec(), group(name="other")) == {"name": "platform"}


def test_what_creation_sent_already_is_not_sent_again() -> None:
    assert request(spec(displayName="New", users=["ann"]), None) == {"add_users": [user_id("ann")]}
    assert request(spec(displayName="New"), None) == {}
