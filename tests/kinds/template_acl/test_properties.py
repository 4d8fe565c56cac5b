"""What holds for all plans of ACLs, and what is recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from coder_enterprise.kinds.machinery.changes import Change
from coder_enterprise.kinds.template_acl import TemplateACLSpec
from coder_enterprise.kinds.template_acl.entries import rank, request_for
from tests.kinds.template_acl.builders import KIND, Body, entry, observed, people, roles, spec, user
from tests.support.structural import problems

STATUS_SCHEMA: Final = KIND.crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
modes = st.sampled_from(["Authoritative", "Additive"])


def carry_out(shown: Mapping[str, str], changes: Sequence[Change]) -> dict[str, str]:
    after = dict(shown) | (request_for(changes).model_dump().get("user_perms") or {})
    return {key: role for key, role in after.items() if role}


def visit(desired: TemplateACLSpec, shown: Mapping[str, str], recorded: Body) -> tuple[dict[str, str], Body]:
    """What Coder has, and status, after a reconcile."""
    seen = observed(desired, shown)
    changes = KIND.plan(desired, seen, recorded)
    recorded = recorded | KIND.intent(desired, changes, recorded)
    after = carry_out(shown, changes)
    seen = replace(seen, users=replace(seen.users, shown=after))
    return after, recorded | KIND.report(desired, seen, changes, recorded)


@given(roles, roles, modes)
def test_a_plan_that_was_carried_out_leaves_nothing_to_do(declared: Body, before: Body, mode: str) -> None:
    desired = spec(mode=mode, users=declared)
    after, recorded = visit(desired, people(**before), {})
    assert KIND.plan(desired, observed(desired, after), recorded) == []
    assert visit(desired, after, recorded) == (after, recorded)


@given(st.lists(roles, max_size=6), roles)
def test_additive_leaves_what_others_gave_when_all_of_its_own_is_gone(history: list[Body], by_hand: Body) -> None:
    shown, recorded = people(**by_hand), Body()
    for declared in [*history, {}]:
        shown, recorded = visit(spec(mode="Additive", users=declared), shown, recorded)
        for name, role in declared.items():
            assert rank(shown[user(name)]) >= rank(role)
    assert shown == people(**by_hand)
    assert recorded["appliedUsers"] is None


@given(roles, roles, modes)
def test_status_fits_into_its_schema(declared: Body, before: Body, mode: str) -> None:
    _, recorded = visit(spec(mode=mode, users=declared), people(**before), {})
    shown = {key: value for key, value in recorded.items() if value is not None}
    assert list(problems(STATUS_SCHEMA, shown)) == []


def test_what_will_be_given_is_recorded_first() -> None:
    desired = spec(mode="Additive", users={"anna": "use", "beth": "admin"})
    changes = KIND.plan(desired, observed(desired, people(beth="use")), {})
    assert KIND.intent(desired, changes, {}) == {
        "appliedUsers": [
            entry("anna", "use", hidden="unsure"),
            entry("beth", "admin", replaced="use", hidden="unsure"),
        ]
    }


def test_what_will_be_taken_stays_recorded_until_it_is_gone() -> None:
    desired = spec(mode="Additive", users={"beth": "use"})
    recorded = {"appliedUsers": [entry("anna", "use"), entry("beth", "admin")]}
    changes = KIND.plan(desired, observed(desired, people(anna="use", beth="admin")), recorded)
    assert len(changes) == 2
    assert KIND.intent(desired, changes, recorded) == {}


def test_a_plan_that_is_not_carried_out_records_nothing() -> None:
    desired = spec(users={"anna": "use"}, managementPolicy="Plan")
    assert KIND.report(desired, observed(desired, people(anna="use")), (), {})["appliedUsers"] is None
