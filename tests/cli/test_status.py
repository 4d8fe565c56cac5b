"""`coder-enterprise status`, `get` and `events` on a real cluster, with objects as an operator leaves them."""

from __future__ import annotations

import json

import pytest

from tests.support.command import condition, in_cluster, put
from tests.support.kubernetes import Body, Namespace
from tests.support.manifests import deployment, group, secret, template_acl

READY = condition("Ready", "True", "Applied", "applied")
WAITS = condition("Ready", "False", "WaitingForGroup", "spec.groups: there is no CoderGroup data")


@pytest.fixture
def cluster(namespace: Namespace) -> Namespace:
    """A deployment that is Ready, a group that is, a group in conflict, and permissions that wait for a group."""
    namespace.apply(secret(token="do-not-show-me"))
    put(
        namespace,
        deployment("https://coder.test"),
        condition("Ready", "True", "Connected", "Coder answers"),
        version="v2.30.0",
        circuit="Closed",
        replicasHealthy="1/1",
        managedObjects={"total": 3, "ready": 1},
    )
    put(namespace, group("fine"), READY, id="g-1")
    put(namespace, group("twin"), condition("Ready", "False", "Conflict", "group fine\x1b[2J claims it"))
    references = [{"groupRef": {"name": "data"}, "role": "use"}]
    put(namespace, template_acl("gpu", groups=references), WAITS)
    return namespace


def event(
    name: str, reason: str, kind: str = "CoderGroup", at: str = "2026-01-01T00:00:00.000000Z"
) -> dict[str, object]:
    api = "enterprise.coder.com/v1alpha1"
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{name}.{reason}".lower()},
        "regarding": {"apiVersion": api, "kind": kind, "name": name},
        "eventTime": at,
        "type": "Warning",
        "reason": reason,
        "action": "Reconcile",
        "note": f"{reason} of {name}",
        "reportingController": "enterprise.coder.com/operator",
        "reportingInstance": "test",
    }


def put_events(namespace: Namespace, *events: Body) -> None:
    for body in events:
        namespace.apply(body | {"regarding": body["regarding"] | {"namespace": namespace.name}})


def test_one_screen_tells_of_deployments_kinds_and_what_is_not_ready_with_what_to_do(cluster: Namespace) -> None:
    result = in_cluster(cluster, "status")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[1].split() == [f"{cluster.name}/coder", "True", "v2.30.0", "-", "1/1", "-", "-", "1/3", "Closed"]
    assert ["CoderGroup", "2", "1", "1", "0"] in [line.split() for line in lines]
    conflict = next(line for line in lines if line.startswith("codergroup/twin"))
    assert ("Conflict" in conflict, "\x1b" in conflict) == (True, False)
    assert any(line.split(maxsplit=1) == ["Conflict", "Delete one of the two."] for line in lines)


def test_the_screen_is_also_a_document(cluster: Namespace) -> None:
    said = json.loads(in_cluster(cluster, "status", "--output", "json").stdout)
    assert {each["name"] for each in said["notReady"]} == {"twin", "gpu"}
    assert said["deployments"][0]["coderVersion"] == "v2.30.0"


def test_one_object_leads_to_all_that_it_waits_for(cluster: Namespace) -> None:
    result = in_cluster(cluster, "status", "coderacl/gpu")
    assert result.exit_code == 0
    heads = [line for line in result.stdout.splitlines() if line and not line.startswith(" ")]
    space = cluster.name
    assert heads == [
        f"CoderTemplateACL {space}/gpu",
        f"CoderGroup {space}/data",
        f"CoderDeployment {space}/coder",
        f"Secret {space}/coder-token",
        "Coder https://coder.test",
    ]
    assert f"there is no CoderGroup data in the namespace {space}" in result.stdout
    assert "What to do: Create the CoderGroup" in result.stdout
    assert "do-not-show-me" not in result.stdout


def test_the_chain_is_also_a_document_with_the_events_of_each(cluster: Namespace) -> None:
    put_events(cluster, event("gpu", "WaitingForGroup", "CoderTemplateACL"), event("twin", "Conflict"))
    said = json.loads(in_cluster(cluster, "status", "coderacl/gpu", "-o", "json").stdout)
    first, second, *_ = said["sections"]
    assert [each["note"] for each in first["events"]] == ["WaitingForGroup of gpu"]
    assert first["conditions"][0]["reason"] == "WaitingForGroup"
    assert second["trouble"].startswith("there is no CoderGroup data")


def test_objects_are_selected_by_how_they_stand(cluster: Namespace) -> None:
    result = in_cluster(cluster, "get", "--ready", "False", "-o", "name")
    assert result.stdout.split() == ["codergroup/twin", "codertemplateacl/gpu"]
    result = in_cluster(cluster, "get", "codergrp", "--reason", "Applied")
    assert [line.split()[:3] for line in result.stdout.splitlines()[1:]] == [["codergroup/fine", "True", "Applied"]]


def test_a_selection_is_a_list_that_kubectl_can_read(cluster: Namespace) -> None:
    said = json.loads(in_cluster(cluster, "get", "--reason", "Conflict", "-o", "json").stdout)
    assert (said["kind"], [item["metadata"]["name"] for item in said["items"]]) == ("List", ["twin"])
    assert said["items"][0]["kind"] == "CoderGroup"


def test_nothing_found_is_no_error(cluster: Namespace) -> None:
    result = in_cluster(cluster, "get", "--reason", "Expired")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "nothing found\n")


def test_events_are_told_the_newest_last_and_of_our_operator_alone(cluster: Namespace) -> None:
    other = event("fine", "Foreign") | {"reportingController": "example.com/other"}
    late, early = event("twin", "Late", at="2026-01-02T00:00:00.000000Z"), event("twin", "Early")
    put_events(cluster, late, early, event("fine", "Fine"), other)
    said = [json.loads(line) for line in in_cluster(cluster, "events", "-o", "json").stdout.splitlines()]
    assert [each["reason"] for each in said][-1] == "Late"
    assert {each["reason"] for each in said} == {"Late", "Early", "Fine"}
    told = in_cluster(cluster, "events", "--for", "codergroup/twin").stdout.splitlines()
    assert [line.split()[2] for line in told[1:]] == ["Early", "Late"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["status", "nothing/x"], "there is no kind nothing (there are coderappearance"),
        (["status", "codergroup"], "'codergroup' is not KIND/NAME (such as codergroup/platform)"),
        (["status", "codergroup/nobody"], "there is no CoderGroup nobody in the namespace"),
        (["get", "codergroups", "--context", "elsewhere"], "no cluster to connect to"),
    ],
)
def test_what_cannot_be_done_is_one_line_with_a_hint(namespace: Namespace, words: list[str], message: str) -> None:
    result = in_cluster(namespace, *words)
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert message in line
    assert line.endswith(")") or "--context: " in line
