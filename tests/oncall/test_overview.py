"""One look at a cluster: what is counted, what comes first, and what is no complaint."""

from __future__ import annotations

from typing import Any

from coder_enterprise.kinds.machinery.resource import Names, Resource
from coder_enterprise.oncall.overview import document, overview
from tests.support.command import condition

KINDS = (Names("CoderDeployment", "coderdeployments", "", ""), Names("CoderGroup", "codergroups", "", ""))


def resource(kind: str, name: str, *conditions: dict[str, Any], **status: Any) -> Resource:
    metadata = {"namespace": "team", "name": name, "uid": name, "resourceVersion": "1"}
    return Resource.from_body(kind, {"metadata": metadata, "status": {"conditions": list(conditions), **status}})


def ready(kind: str, name: str, *others: dict[str, Any], **status: Any) -> Resource:
    return resource(kind, name, condition("Ready", "True", "Applied"), *others, **status)


def unready(kind: str, name: str, reason: str, *, stalled: bool = False) -> Resource:
    also = [condition("Stalled", "True", reason)] if stalled else []
    return resource(kind, name, condition("Ready", "False", reason), *also)


def test_objects_are_counted_by_kind_and_a_kind_without_any_is_shown() -> None:
    suspended = resource("CoderGroup", "c", condition("Ready", "Unknown", "Suspended"))
    seen = overview([ready("CoderGroup", "a"), unready("CoderGroup", "b", "Conflict"), suspended], KINDS)
    assert [(line.kind, line.total, line.ready, line.not_ready, line.suspended) for line in seen.kinds] == [
        ("CoderDeployment", 0, 0, 0, 0),
        ("CoderGroup", 3, 1, 1, 1),
    ]


def test_what_others_wait_for_comes_first_and_who_only_waits_comes_last() -> None:
    seen = overview(
        [
            unready("CoderGroup", "a-waits", "WaitingForDeployment"),
            unready("CoderGroup", "b-tries", "ServerError"),
            unready("CoderGroup", "c-stuck", "Conflict", stalled=True),
            unready("CoderDeployment", "coder", "Unreachable"),
        ],
        KINDS,
    )
    assert [each.key.name for each in seen.not_ready] == ["coder", "c-stuck", "b-tries", "a-waits"]


def test_who_is_suspended_is_no_complaint() -> None:
    seen = overview([resource("CoderGroup", "a", condition("Ready", "Unknown", "Suspended"))], KINDS)
    assert (seen.not_ready, seen.complaints) == ((), ())


def test_an_object_that_nobody_has_visited_is_pending_since_never() -> None:
    (pending,) = overview([resource("CoderGroup", "a")], KINDS).not_ready
    assert (pending.status, pending.reason, pending.since) == ("Unknown", "Pending", None)
    assert "operator runs" in pending.advice


def test_a_ready_object_with_a_condition_that_is_false_is_shown_as_well() -> None:
    drifted = ready("CoderGroup", "a", condition("Synced", "False", "Drifted"), condition("Stalled", "False", "x"))
    (complaint,) = overview([drifted], KINDS).complaints
    assert (complaint.type, complaint.reason) == ("Synced", "Drifted")


def test_a_reason_of_another_version_has_no_advice() -> None:
    (unknown,) = overview([unready("CoderGroup", "a", "FromTheFuture")], KINDS).not_ready
    assert unknown.advice == ""


def test_the_document_says_what_the_screen_says() -> None:
    coder = ready(
        "CoderDeployment",
        "coder",
        version="v2.30.0",
        license={"daysLeft": 12},
        replicasHealthy="2/2",
        provisionerDaemons=0,
        managedObjects={"total": 3, "ready": 2},
        circuit="Closed",
    )
    said = document(overview([coder, unready("CoderGroup", "a", "Conflict", stalled=True)], KINDS))
    assert said["version"] == 1
    (line,) = said["deployments"]
    assert (line["name"], line["coderVersion"], line["licenseDaysLeft"]) == ("coder", "v2.30.0", 12)
    assert (line["provisionerDaemons"], line["objectsReady"], line["proxiesHealthy"]) == (0, "2/3", None)
    (stuck,) = said["notReady"]
    assert (stuck["kind"], stuck["reason"], stuck["stalled"]) == ("CoderGroup", "Conflict", True)
    assert stuck["advice"] == "Delete one of the two."
