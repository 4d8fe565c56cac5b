"""`coder-enterprise reconcile`, `suspend`, `resume` and `force-detach` on a real cluster."""

from __future__ import annotations

import asyncio
import json

import pytest

from coder_enterprise.kinds.machinery.resource import FORCE_DETACH, RECONCILE_REQUESTED_AT
from coder_enterprise.oncall import acts
from tests.support.command import condition, in_cluster, put
from tests.support.kubernetes import Namespace
from tests.support.manifests import group, members
from tools.coder_api import CoderAPI


def asked_for(namespace: Namespace, name: str) -> bool:
    annotations = namespace.get("CoderGroup", name)["metadata"].get("annotations", {})
    return RECONCILE_REQUESTED_AT in annotations


def test_a_reconcile_is_waited_for_and_tells_how_the_objects_stand_then(connected: Namespace, coder: CoderAPI) -> None:
    connected.apply(group("platform", members=members()))
    connected.wait_for("CoderGroup", "platform", "Applied")
    result = in_cluster(connected, "reconcile", "codergroup/platform", "--wait")
    assert (result.exit_code, result.stdout.split()[4:]) == (0, ["codergroup/platform", "True", "Applied", "applied"])
    coder.create_group("taken")
    connected.apply(group("taken"))
    connected.wait_for("CoderGroup", "taken", "AlreadyExists")
    result = in_cluster(connected, "reconcile", "--all", "--wait")
    assert result.exit_code == 3
    assert "codergroup/taken" in result.stdout


def test_an_operator_that_does_not_come_is_said(namespace: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    async def for_ever(*_: object) -> None:
        await asyncio.Event().wait()

    # Without a watch: one that is ended while it connects makes asyncio warn of a transport, whoever ends it.
    monkeypatch.setattr(acts, "wait_until_handled", for_ever)
    namespace.apply(group("platform"))
    result = in_cluster(namespace, "reconcile", "codergroup/platform", "--wait", "--timeout", "0.1")
    assert result.exit_code == 1
    assert "0 of 1 were visited within 0 s (does the operator run" in result.stderr


def test_all_objects_are_asked_for_but_those_that_are_suspended(namespace: Namespace) -> None:
    namespace.apply(group("one"), group("two"), group("three", suspend=True))
    result = in_cluster(namespace, "reconcile", "--all")
    assert result.stdout == "2 objects asked for\n"
    assert "three is suspended" in result.stderr
    assert [asked_for(namespace, name) for name in ("one", "two", "three")] == [True, True, False]


def test_either_names_or_all_must_be_given(namespace: Namespace) -> None:
    assert in_cluster(namespace, "reconcile").exit_code == 2
    assert in_cluster(namespace, "reconcile", "codergroup/one", "--all").exit_code == 2


def test_objects_are_suspended_and_resumed(namespace: Namespace) -> None:
    namespace.apply(group("one"), group("two"))
    result = in_cluster(namespace, "suspend", "codergroup/one", "codergroup/two")
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 2)
    assert namespace.get("CoderGroup", "two")["spec"]["suspend"] is True
    assert in_cluster(namespace, "resume", "codergroup/two").exit_code == 0
    assert namespace.get("CoderGroup", "two")["spec"]["suspend"] is False


def test_objects_are_suspended_for_a_while(namespace: Namespace) -> None:
    namespace.apply(group("one", suspend=True))
    result = in_cluster(namespace, "suspend", "codergroup/one", "--until", "2999-01-01T02:00:00+02:00")
    assert result.stdout.endswith("suspended until 2999-01-01T00:00:00Z\n")
    spec = namespace.get("CoderGroup", "one")["spec"]
    assert (spec["suspend"], spec["suspendUntil"]) == (False, "2999-01-01T00:00:00Z")
    assert in_cluster(namespace, "reconcile", "--all").stdout == "0 objects asked for\n"
    assert in_cluster(namespace, "suspend", "codergroup/one", "--until", "1h30m").exit_code == 0
    assert in_cluster(namespace, "resume", "codergroup/one").exit_code == 0
    assert "suspendUntil" not in namespace.get("CoderGroup", "one")["spec"]


@pytest.mark.parametrize("until", ["soon", "2h!", "2020-01-01T00:00:00Z", "2999-01-01T00:00:00", "999999h" * 20000])
def test_an_end_that_is_no_time_to_come_is_refused(namespace: Namespace, until: str) -> None:
    result = in_cluster(namespace, "suspend", "codergroup/one", "--until", until)
    assert (result.exit_code, "is neither a duration" in " ".join(result.stderr.split())) == (2, True)


def test_nothing_is_done_when_one_of_several_is_not_there(namespace: Namespace) -> None:
    namespace.apply(group("one"))
    assert in_cluster(namespace, "suspend", "codergroup/one", "codergroup/nobody").exit_code == 1
    assert "suspend" not in namespace.get("CoderGroup", "one")["spec"]


def test_detaching_says_what_stays_and_does_nothing_without_consent(namespace: Namespace) -> None:
    put(namespace, group("one"), condition("Ready", "True", "Applied"), id="id-of-one")
    result = in_cluster(namespace, "force-detach", "codergroup/one", typed="y\n")
    assert result.exit_code == 1
    assert "id-of-one stays in Coder" in result.stderr
    assert "nothing was done" in result.stderr
    assert "annotations" not in namespace.get("CoderGroup", "one")["metadata"]


def test_with_consent_the_object_is_detached(namespace: Namespace) -> None:
    put(namespace, group("one"), condition("Ready", "True", "Applied"), id="id-of-one")
    result = in_cluster(namespace, "force-detach", "codergroup/one", "--yes")
    assert result.exit_code == 0
    assert namespace.get("CoderGroup", "one")["metadata"]["annotations"][FORCE_DETACH] == "true"


def test_what_was_never_applied_needs_no_detaching(namespace: Namespace) -> None:
    namespace.apply(group("one"))
    result = in_cluster(namespace, "force-detach", "codergroup/one", "--yes")
    assert (result.exit_code, "stands for nothing in Coder" in result.stderr) == (1, True)


def test_where_there_is_nothing_there_is_nothing_to_wait_for(namespace: Namespace) -> None:
    assert json.loads(in_cluster(namespace, "get", "-o", "json").stdout)["items"] == []
    result = in_cluster(namespace, "reconcile", "--all", "--wait")
    assert (result.exit_code, result.stdout.split()) == (0, ["OBJECT", "READY", "REASON", "MESSAGE"])
