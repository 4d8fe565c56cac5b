"""What holds for all plans of groups, whatever is declared and whatever is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from coder_enterprise.client import records
from coder_enterprise.kinds.group import GroupSpec
from coder_enterprise.kinds.group.find import ObservedGroup
from coder_enterprise.kinds.group.settings import SETTINGS, patch_request
from coder_enterprise.kinds.machinery.changes import Change
from tests.kinds.group.builders import GROUP_ID, KIND, NAMES, Body, group, groups, names, observed, spec, specs, user_id


def carry_out(desired: GroupSpec, seen: ObservedGroup, changes: Sequence[Change]) -> records.Group:
    """What Coder has after the request that the changes make, by Coder's own rules."""
    known = seen.group or group(name=seen.name)
    if seen.group is None:
        values = {field: getattr(desired, field) for field, _ in SETTINGS}
        known = replace(known, **{field: value for field, value in values.items() if value is not None})
    request = patch_request(desired, seen, changes)
    added, removed = set(request.add_users or ()), set(request.remove_users or ())
    assert not added & known.member_ids, "Coder refuses to add a member again"
    assert len(added) == len(request.add_users or ()), "Coder refuses an id twice"
    fields = request.model_dump(exclude_unset=True, exclude={"add_users", "remove_users"})
    return replace(known, **fields, member_ids=(known.member_ids | added) - removed)


@given(specs, st.none() | groups, names)
def test_a_plan_that_was_carried_out_leaves_nothing_to_do(
    desired: GroupSpec, found: records.Group | None, managed: list[str]
) -> None:
    recorded: Body = {"managedMembers": [user_id(name) for name in managed]}
    seen = observed(desired, found)
    changes = KIND.plan(desired, seen, recorded)
    recorded |= KIND.intent(desired, changes, recorded)
    after = replace(seen, group=carry_out(desired, seen, changes), external_id=GROUP_ID)
    assert KIND.plan(desired, after, recorded) == []
    assert KIND.plan(desired, after, KIND.report(desired, after, changes, recorded)) == []


@given(st.lists(st.tuples(names, names), max_size=6), names)
def test_additive_never_removes_whom_it_did_not_add(
    history: list[tuple[list[str], list[str]]], members: list[str]
) -> None:
    """In each round spec declares some, and others are added by hand in Coder."""
    found = group(*members)
    by_hand, ours = set(members), set[str]()
    recorded: Body = {}
    for declared, others in history:
        others = [name for name in others if user_id(name) not in found.member_ids]
        found = replace(found, member_ids=found.member_ids | {user_id(name) for name in others})
        by_hand |= set(others) - ours
        desired = spec("Additive", declared)
        seen = observed(desired, found)
        changes = KIND.plan(desired, seen, recorded)
        recorded = recorded | KIND.intent(desired, changes, recorded)
        found = carry_out(desired, seen, changes)
        recorded = KIND.report(desired, replace(seen, group=found), changes, recorded)
        ours = {name for name in NAMES if user_id(name) in (recorded["managedMembers"] or ())}
        assert {user_id(name) for name in by_hand} <= found.member_ids
        assert {user_id(name) for name in declared} <= found.member_ids
        assert found.member_ids == {user_id(name) for name in by_hand | set(declared)}


PATHS: Final = {
    "spec.displayName": "displayName",
    "spec.avatarURL": "avatarURL",
    "spec.quotaAllowance": "quotaAllowance",
}


@given(specs, groups)
def test_a_field_that_is_not_in_spec_is_never_planned(desired: GroupSpec, found: records.Group) -> None:
    declared = desired.model_dump(by_alias=True, exclude_none=True)
    for change in KIND.plan(desired, observed(desired, found), {}):
        if change.path in PATHS:
            assert PATHS[change.path] in declared
        if change.path == "spec.members.users":
            assert declared["members"]["mode"] != "Unmanaged"


@given(specs, st.none() | groups)
def test_a_plan_is_the_same_each_time_it_is_made(desired: GroupSpec, found: records.Group | None) -> None:
    seen = observed(desired, found)
    assert KIND.plan(desired, seen, {}) == KIND.plan(desired, seen, {})
