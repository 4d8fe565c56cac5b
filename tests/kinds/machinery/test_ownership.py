"""Whose a thing in Coder is, from facts alone; how the facts are gathered is tested with the controller."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest

from coder_enterprise.kinds.machinery.base import Observation
from coder_enterprise.kinds.machinery.changes import Action, Change
from coder_enterprise.kinds.machinery.common import AdoptionPolicy
from coder_enterprise.kinds.machinery.ownership import Finding, Foreign, is_ours, precedence, refusal
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Key, Resource

THERE: Final = Observation(external_id="1", fresh=True)
OTHER: Final = Key("CoderGroup", "team", "other")
CHANGE: Final = Change(Action.UPDATE, "spec.name", "a", "b")


@pytest.mark.parametrize(
    ("finding", "ours"),
    [
        (Finding(replace(THERE, external_id=None), None, proven=False), True),
        (Finding(THERE, "1", proven=False), True),
        (Finding(replace(THERE, intended=True), None, proven=False), True),
        (Finding(THERE, None, proven=True), True),
        (Finding(THERE, None, proven=False), False),
        (Finding(THERE, "2", proven=True), False),
    ],
)
def test_what_is_recorded_intended_or_proven_is_ours(finding: Finding, ours: bool) -> None:
    assert is_ours(finding) is ours


@pytest.mark.parametrize(
    ("policy", "facts", "expected"),
    [
        ("Fail", {}, Reason.ALREADY_EXISTS),
        ("Fail", {"observed": replace(THERE, free=True)}, None),
        ("AdoptIfIdentical", {}, None),
        ("AdoptIfIdentical", {"changes": [CHANGE]}, Reason.NOT_IDENTICAL),
        ("Adopt", {"changes": [CHANGE]}, None),
        ("Adopt", {"holder": OTHER}, Reason.CONFLICT),
    ],
)
def test_what_is_not_ours_is_had_as_its_policy_says(
    policy: str, facts: dict[str, Any], expected: Reason | None
) -> None:
    foreign = Foreign("eu", THERE, None, AdoptionPolicy(policy), [])
    refused = refusal(replace(foreign, **facts))
    assert (refused.reason if refused else None) == expected


def test_who_has_it_goes_before_who_is_older() -> None:
    def made(created: str, **status: str) -> Resource:
        metadata = {"namespace": "a", "name": "b", "uid": created, "resourceVersion": "1", "creationTimestamp": created}
        return Resource.from_body("CoderGroup", {"metadata": metadata, "status": status})

    def place(resource: Resource, *, proven: bool = False, acts_as_owner: bool = True) -> Any:
        return precedence(resource, proven=proven, acts_as_owner=acts_as_owner)

    older, younger = made("2026-01-01T00:00:00Z"), made("2027-01-01T00:00:00Z")
    assert place(older) < place(younger)
    assert place(made("2027-01-01T00:00:00Z", id="1")) < place(older)
    assert place(younger, proven=True) < place(older)
    assert place(younger) < place(older, acts_as_owner=False)
