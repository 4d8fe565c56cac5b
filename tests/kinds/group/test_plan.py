"""What a plan of a group names."""

from __future__ import annotations

import pytest

from tests.kinds.group.builders import KIND, ORGANIZATION, Body, group, observed, plan, spec, user_id


def test_a_group_that_is_not_there_is_created() -> None:
    assert plan(spec(), None) == ["create platform"]


def test_a_new_group_gets_its_members_too() -> None:
    assert plan(spec(users=["bob", "ann", "nobody"]), None) == [
        "create platform",
        "spec.members.users: add ann@example.com",
        "spec.members.users: add bob@example.com",
    ]


def test_a_group_that_matches_is_left_alone() -> None:
    desired = spec(users=["ann"], displayName="Platform", avatarURL="/a.png", quotaAllowance=5)
    assert plan(desired, group("ann", display_name="Platform", avatar_url="/a.png", quota_allowance=5)) == []


@pytest.mark.parametrize(
    ("declared", "actual", "expected"),
    [
        ({"displayName": "New"}, {"display_name": "Old"}, ["spec.displayName: 'Old' becomes 'New'"]),
        ({"displayName": ""}, {"display_name": "Old"}, ["spec.displayName: 'Old' becomes ''"]),
        ({"displayName": ""}, {}, []),
        ({"avatarURL": "/b.png"}, {"avatar_url": "/a.png"}, ["spec.avatarURL: '/a.png' becomes '/b.png'"]),
        ({"avatarURL": ""}, {"avatar_url": "/a.png"}, ["spec.avatarURL: '/a.png' becomes ''"]),
        ({"quotaAllowance": 7}, {"quota_allowance": 5}, ["spec.quotaAllowance: 5 becomes 7"]),
        ({"quotaAllowance": 0}, {"quota_allowance": 5}, ["spec.quotaAllowance: 5 becomes 0"]),
        ({"quotaAllowance": 0}, {}, []),
    ],
)
def test_a_field_that_is_declared_is_corrected(declared: Body, actual: Body, expected: list[str]) -> None:
    assert plan(spec(**declared), group(**actual)) == expected


def test_a_field_that_is_left_out_is_left_alone() -> None:
    assert plan(spec(), group("ann", display_name="X", avatar_url="/x.png", quota_allowance=9)) == []


def test_a_group_that_was_renamed_in_coder_gets_its_name_back() -> None:
    assert plan(spec(), group(name="other")) == ["spec.name: 'other' becomes 'platform'"]


def test_names_differ_by_case() -> None:
    assert plan(spec(), group(name="Platform")) == ["spec.name: 'Platform' becomes 'platform'"]


@pytest.mark.parametrize(
    ("mode", "users", "recorded", "added", "removed"),
    [
        ("Authoritative", ["ann", "bob"], [], ["bob"], ["cid"]),
        ("Authoritative", [], [], [], ["ann", "cid"]),
        ("Authoritative", ["ann", "cid"], [], [], []),
        ("Authoritative", ["ann", "cid", "nobody"], [], [], []),
        ("Additive", ["ann", "bob"], [], ["bob"], []),
        ("Additive", ["ann", "bob"], ["cid"], ["bob"], ["cid"]),
        ("Additive", [], ["ann", "bob"], [], ["ann"]),
        ("Additive", ["cid"], ["ann", "cid"], [], ["ann"]),
        ("Unmanaged", [], ["ann"], [], []),
    ],
)
def test_members_are_changed_as_the_mode_says(
    mode: str, users: list[str], recorded: list[str], added: list[str], removed: list[str]
) -> None:
    """The group has ann and cid."""
    managed = {"managedMembers": [user_id(name) for name in recorded]}
    assert plan(spec(mode, users), group("ann", "cid"), managed) == [
        *(f"spec.members.users: add {name}@example.com" for name in added),
        *(f"spec.members.users: remove {name}@example.com" for name in removed),
    ]


def test_members_that_are_left_out_are_left_alone() -> None:
    assert plan(spec(), group("ann")) == []


@pytest.mark.parametrize(
    "references",
    [
        ["ann", "ann@example.com"],
        ["ann", "ANN"],
        [user_id("ann"), user_id("ann").upper(), user_id("ann").replace("-", "")],
    ],
)
def test_one_person_in_two_spellings_is_added_once(references: list[str]) -> None:
    assert plan(spec(users=references), group()) == ["spec.members.users: add ann@example.com"]
    assert plan(spec(users=references), group("ann")) == []


def test_a_member_whom_the_list_of_users_lacks_is_named_by_id() -> None:
    found = group(members=["77777777-0000-4000-8000-000000000000"])
    assert plan(spec(users=[]), found) == ["spec.members.users: remove 77777777-0000-4000-8000-000000000000"]


def test_the_quota_of_everyone_may_be_declared_without_its_members() -> None:
    everyone = group("ann", "bob", id=ORGANIZATION.id, name="Everyone")
    desired = spec(name="Everyone", quotaAllowance=3)
    changes = KIND.plan(desired, observed(desired, everyone, "Everyone"), {})
    assert [str(change) for change in changes] == ["spec.quotaAllowance: 0 becomes 3"]
