"""Status: what kstatus reads, and what never moves by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from coder_enterprise.client import errors
from coder_enterprise.client.errors import Meaning, OperatorError
from coder_enterprise.controller import status as status_module
from coder_enterprise.controller.outcomes import failed
from coder_enterprise.controller.result import Again, result_of
from coder_enterprise.controller.status import MESSAGE_LIMIT, Outcome, compose, difference
from coder_enterprise.kinds.machinery.base import DomainCondition, Progress
from coder_enterprise.kinds.machinery.changes import Action, Change
from coder_enterprise.kinds.machinery.common import MAX_PENDING_CHANGES, MAX_TEXT, STATUS_DEFAULT
from coder_enterprise.kinds.machinery.errors import stalled, waiting
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import RECONCILE_REQUESTED_AT, Resource

READY = Outcome("True", Reason.APPLIED, "applied", Progress.DONE)
WORKING = Outcome("False", Reason.UNREACHABLE, "no answer", Progress.WORKING)
STALLED = Outcome("False", Reason.CONFLICT, "taken", Progress.STALLED)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new second at each look."""
    seconds: Iterator[int] = iter(range(60))
    monkeypatch.setattr(status_module, "_now", lambda: f"2026-01-01T00:00:{next(seconds):02}Z")


def resource(status: Mapping[str, Any], generation: int = 1, requested: str = "") -> Resource:
    meta = {
        "namespace": "team",
        "name": "one",
        "uid": "u1",
        "resourceVersion": "1",
        "generation": generation,
        "annotations": {RECONCILE_REQUESTED_AT: requested},
    }
    return Resource.from_body("Thing", {"metadata": meta, "status": status})


def conditions(status: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {condition["type"]: condition for condition in status["conditions"]}


def test_ready_is_always_there_and_the_others_only_while_they_are_true() -> None:
    status = compose(resource(STATUS_DEFAULT), WORKING)
    assert {name: item["status"] for name, item in conditions(status).items()} == {
        "Ready": "False",
        "Reconciling": "True",
    }
    status = compose(resource(status), STALLED)
    assert {name: item["status"] for name, item in conditions(status).items()} == {"Ready": "False", "Stalled": "True"}
    assert list(conditions(compose(resource(status), READY))) == ["Ready"]


def test_the_observed_generation_is_that_of_the_spec_that_was_reconciled() -> None:
    status = compose(resource(STATUS_DEFAULT, generation=3), READY)
    assert status["observedGeneration"] == 3
    assert conditions(status)["Ready"]["observedGeneration"] == 3


def test_nothing_changes_at_rest() -> None:
    outcome = Outcome(
        "True",
        Reason.APPLIED,
        "applied",
        Progress.DONE,
        synced=DomainCondition("Synced", "True", Reason.IN_SYNC, "same"),
        conditions=(DomainCondition("Healthy", "True", Reason.ANSWERING, "yes"),),
        fields={"id": "x", "absent": None, "nested": {"a": 1}},
    )
    status = compose(resource(STATUS_DEFAULT), outcome)
    assert difference(status, compose(resource(status), outcome)) == {}


def test_a_conditions_time_moves_with_its_status_alone() -> None:
    first = compose(resource(STATUS_DEFAULT), WORKING)
    began = conditions(first)["Ready"]["lastTransitionTime"]
    second = compose(resource(first, generation=2), STALLED)
    assert conditions(second)["Ready"]["lastTransitionTime"] == began
    assert conditions(second)["Ready"]["reason"] == "Conflict"
    third = compose(resource(second), READY)
    assert conditions(third)["Ready"]["lastTransitionTime"] > began


def test_the_first_visit_dates_what_the_crd_could_not() -> None:
    pending = Outcome("Unknown", Reason.SUSPENDED, "suspended", Progress.DONE)
    ready = conditions(compose(resource(STATUS_DEFAULT), pending))["Ready"]
    assert ready["lastTransitionTime"].startswith("2026")


def test_conditions_that_an_outcome_does_not_speak_of_stay() -> None:
    status = compose(
        resource(STATUS_DEFAULT),
        Outcome(
            "True",
            Reason.CONNECTED,
            "yes",
            Progress.DONE,
            conditions=(DomainCondition("Licensed", "True", Reason.LICENSED, "yes"),),
        ),
    )
    again = compose(resource(status), WORKING)
    assert conditions(again)["Licensed"] == conditions(status)["Licensed"]


def test_pending_changes_are_bounded_and_go_when_they_are_gone() -> None:
    changes = [Change(Action.ADD, f"spec.users[{number}]", after="x" * 5000) for number in range(150)]
    status = compose(resource(STATUS_DEFAULT), Outcome("True", Reason.PLANNED, "150", Progress.DONE, pending=changes))
    assert len(status["pendingChanges"]) == MAX_PENDING_CHANGES + 1
    assert status["pendingChanges"][-1] == {"path": "… and 50 more"}
    assert len(status["pendingChanges"][0]["to"]) == MAX_TEXT
    assert "pendingChanges" not in compose(resource(status), READY)


def test_a_request_is_acknowledged_as_far_as_it_fits() -> None:
    asked = resource(STATUS_DEFAULT, requested="t" * 300)
    assert compose(asked, READY)["lastHandledReconcileAt"] == "t" * 256


def test_a_long_message_is_cut() -> None:
    status = compose(resource(STATUS_DEFAULT), Outcome("False", Reason.REFUSED, "m" * 5000, Progress.STALLED))
    message = conditions(status)["Ready"]["message"]
    assert (len(message), message[-1]) == (MESSAGE_LIMIT, "…")


def test_a_field_is_kept_when_it_is_absent_and_goes_when_it_is_none() -> None:
    known = resource({"id": "x", "memberCount": 3})
    status = compose(known, Outcome("True", Reason.APPLIED, "", Progress.DONE, fields={"memberCount": None}))
    assert (status["id"], "memberCount" in status) == ("x", False)


@pytest.mark.parametrize(
    ("before", "after", "patch"),
    [
        ({}, {}, {}),
        ({"a": 1}, {"a": 1}, {}),
        ({"a": 1}, {}, {"a": None}),
        ({}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, {"a": {"c": None}}),
        ({"a": {"b": 1}}, {"a": [1]}, {"a": [1]}),
        ({"a": [1, 2]}, {"a": [2]}, {"a": [2]}),
    ],
)
def test_the_difference_of_two_statuses_is_a_merge_patch(before: Any, after: Any, patch: Any) -> None:
    assert difference(before, after) == patch


def subclasses(of: type[OperatorError]) -> list[type[OperatorError]]:
    return [item for child in of.__subclasses__() for item in (child, *subclasses(child))]


@pytest.mark.parametrize("error", subclasses(errors.CoderError), ids=lambda error: error.__name__)
def test_each_error_has_a_reason_of_the_vocabulary(error: type[OperatorError]) -> None:
    assert error.reason in set(Reason)


def test_only_what_a_person_must_repair_is_stalled() -> None:
    assert failed(stalled(Reason.CONFLICT, "")).progress is Progress.STALLED
    assert failed(waiting(Reason.NOT_ENTITLED, "")).progress is Progress.WORKING
    assert failed(errors.Unreachable("")).progress is Progress.WORKING


def test_differences_that_an_error_names_make_it_out_of_sync() -> None:
    change = Change(Action.UPDATE, "spec.color", before="red", after="blue")
    outcome = failed(stalled(Reason.ALREADY_EXISTS, "", [change]))
    assert (outcome.synced and outcome.synced.status, list(outcome.pending)) == ("False", [change])


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (waiting(Reason.WAITING_FOR_DEPLOYMENT, ""), Again.NEVER),
        (waiting(Reason.NOT_ENTITLED, ""), Again.NEVER),
        (waiting(Reason.WAITING_FOR_ORGANIZATION, ""), Again.BACKOFF),
        (stalled(Reason.CONFLICT, ""), Again.SLOWLY),
        (errors.Unreachable(""), Again.BACKOFF),
    ],
    ids=lambda value: getattr(value, "reason", value),
)
def test_who_is_told_does_not_look_for_itself(error: OperatorError, again: Again) -> None:
    assert result_of(error).again is again
    assert result_of(error).label == ("waiting" if error.meaning is Meaning.WAITING else error.meaning.lower())
