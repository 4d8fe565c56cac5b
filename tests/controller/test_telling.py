"""What is news: which events follow from how an object was and what a visit came to."""

from __future__ import annotations

from typing import Any, Final

import pytest

from coder_enterprise.controller.notes import Found
from coder_enterprise.controller.outcomes import applied, failed
from coder_enterprise.controller.status import Outcome
from coder_enterprise.controller.telling import News, changes_news, deployment_news, object_news, unexpected
from coder_enterprise.kinds.machinery.base import DomainCondition, Progress, Verdict
from coder_enterprise.kinds.machinery.causes import Cause
from coder_enterprise.kinds.machinery.changes import Action, Change
from coder_enterprise.kinds.machinery.errors import stalled, waiting
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Resource

READY: Final = {"type": "Ready", "status": "True", "reason": "Applied"}
APPLIED: Final = applied({}, Verdict())
CONFLICT: Final = failed(stalled(Reason.CONFLICT, "another was first"))
WAITS: Final = failed(waiting(Reason.WAITING_FOR_GROUP, "not there yet"))


def was(*conditions: dict[str, str], **status: Any) -> Resource:
    metadata = {"namespace": "team", "name": "one", "uid": "u1", "resourceVersion": "1", "generation": 1}
    status = {"observedGeneration": 1, "conditions": list(conditions), **status}
    return Resource.from_body("Thing", {"metadata": metadata, "spec": {}, "status": status})


@pytest.mark.parametrize(
    ("before", "outcome", "news"),
    [
        (was(), APPLIED, []),
        (was(READY), APPLIED, []),
        (was(), CONFLICT, [News("Conflict", "another was first", warns=True)]),
        (was(READY), WAITS, []),
        (was({**READY, "status": "False", "reason": "Conflict"}), APPLIED, [News("Applied", "applied")]),
    ],
    ids=["a new one is applied", "nothing", "a person must act", "it waits", "it is well again"],
)
def test_an_object_is_told_of_when_a_person_would_want_to_know(
    before: Resource, outcome: Outcome, news: list[News]
) -> None:
    assert list(object_news(before, outcome)) == news


def test_what_a_kind_warns_of_is_told_when_it_comes_to_it_and_not_again() -> None:
    soon = DomainCondition("Valid", "True", Reason.EXPIRES_SOON, "tomorrow", warns=True)
    outcome = applied({}, Verdict(conditions=(soon,)))
    assert list(object_news(was(READY), outcome)) == [News("ExpiresSoon", "tomorrow", warns=True)]
    known = {"type": "Valid", "status": "True", "reason": "ExpiresSoon"}
    assert list(object_news(was(READY, known), outcome)) == []


def test_how_a_deployment_stands_says_all_that_its_conditions_would() -> None:
    reachable = DomainCondition("Reachable", "False", Reason.UNREACHABLE, "no answer")
    outcome = Outcome("False", Reason.UNREACHABLE, "no answer", Progress.WORKING, conditions=(reachable,))
    known = {"type": "Reachable", "status": "True", "reason": "Answering"}
    connected = {**READY, "reason": "Connected"}
    assert list(deployment_news(was(connected, known), outcome)) == [News("Unreachable", "no answer", warns=True)]


def test_a_condition_of_a_deployment_that_nobody_knows_is_no_news() -> None:
    outcome = Outcome(
        "True",
        Reason.CONNECTED,
        "it answers",
        Progress.DONE,
        conditions=(DomainCondition("Licensed", "Unknown", Reason.UNKNOWN, "not asked"),),
    )
    known = {"type": "Licensed", "status": "True", "reason": "Licensed"}
    assert list(deployment_news(was({**READY, "reason": "Connected"}, known), outcome)) == []


def test_only_what_nobody_declared_and_nobody_waited_for_is_told_of_an_object_at_rest() -> None:
    change = Change(Action.UPDATE, "spec.color", "red", "blue")
    drift = News("DriftCorrected", "changed in Coder: spec.color: 'red' becomes 'blue'", warns=True)
    found = [Found(cause, None, [change]) for cause in (Cause.DRIFT, Cause.ARRIVAL, Cause.CONSEQUENCE, Cause.DUE)]
    assert list(changes_news(unexpected(was(READY), found))) == [drift]
    assert unexpected(was(), found) == []
