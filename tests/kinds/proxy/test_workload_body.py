"""The Deployment of a workspace proxy: restricted, complete, and compared as the API server stores it."""

from __future__ import annotations

import copy
from typing import Any, Final

import pytest

from coder_enterprise.kinds.proxy.workload import availability
from coder_enterprise.kinds.proxy.workload_body import APPLIED_HASH, Placement, body, differences, selector
from coder_enterprise.kinds.proxy.workload_spec import Workload
from tests.support.manifests import workload

PLACE: Final = Placement(
    name="eu-wsproxy",
    instance="eu",
    secret="eu-token",
    primary_url="https://coder.example.com",
    token_fingerprint="abc",
)

Body = dict[str, Any]


def made(place: Placement = PLACE, **fields: Any) -> Body:
    return body(Workload.model_validate(workload(**fields)), place)


def stored(wanted: Body) -> Body:
    """With some of what the API server adds."""
    live = copy.deepcopy(wanted)
    live["metadata"] |= {"generation": 1, "uid": "u2"}
    live["spec"] |= {"replicas": live["spec"].get("replicas", 1), "strategy": {"type": "RollingUpdate"}}
    pod = live["spec"]["template"]["spec"]
    pod |= {"restartPolicy": "Always", "schedulerName": "default-scheduler"}
    pod["containers"][0] |= {"terminationMessagePath": "/dev/termination-log", "imagePullPolicy": "IfNotPresent"}
    pod["containers"][0]["readinessProbe"] |= {"timeoutSeconds": 1, "successThreshold": 1}
    return live


def container(found: Body) -> Body:
    first: Body = found["spec"]["template"]["spec"]["containers"][0]
    return first


def paths(wanted: Body, live: Body) -> list[str]:
    return [path for path, _, _ in differences(wanted, live)]


def test_the_pods_keep_the_restricted_pod_security_standard() -> None:
    pod = made()["spec"]["template"]["spec"]
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    [only] = pod["containers"]
    assert only["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert pod["automountServiceAccountToken"] is False


def test_a_security_context_adds_to_what_is_restricted() -> None:
    found = made(securityContext={"runAsUser": 1000, "readOnlyRootFilesystem": True})
    pod = found["spec"]["template"]["spec"]["securityContext"]
    assert (pod["runAsUser"], pod["runAsNonRoot"], "runAsGroup" in pod) == (1000, True, False)
    assert container(found)["securityContext"]["readOnlyRootFilesystem"] is True


def test_the_proxy_knows_its_token_and_its_addresses() -> None:
    found = made(wildcardAccessURL="*.eu.example.com", env=[{"name": "CODER_VERBOSE", "value": "true"}])
    env = {item["name"]: item.get("value", item.get("valueFrom")) for item in container(found)["env"]}
    assert env == {
        "CODER_PROXY_SESSION_TOKEN": {"secretKeyRef": {"name": "eu-token", "key": "CODER_PROXY_SESSION_TOKEN"}},
        "CODER_PRIMARY_ACCESS_URL": "https://coder.example.com",
        "CODER_ACCESS_URL": "https://eu.coder.example.com",
        "CODER_WILDCARD_ACCESS_URL": "*.eu.example.com",
        "CODER_HTTP_ADDRESS": ":8080",
        "CODER_VERBOSE": "true",
    }
    assert container(found)["command"] == ["/opt/coder", "wsproxy", "server"]


def test_the_pods_are_those_that_the_selector_finds() -> None:
    found = made()
    labels = found["spec"]["template"]["metadata"]["labels"]
    assert labels == found["spec"]["selector"]["matchLabels"]
    assert selector("eu") == ",".join(f"{name}={value}" for name, value in sorted(labels.items()))


def test_replicas_that_are_left_out_are_left_alone() -> None:
    assert "replicas" not in made()["spec"]
    live = stored(made())
    live["spec"]["replicas"] = 5
    assert differences(made(), live) == []
    assert made(replicas=0)["spec"]["replicas"] == 0


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"replicas": 2, "nodeSelector": {"zone": "eu"}, "serviceAccountName": "proxy"},
        {"env": [{"name": "EMPTY", "value": ""}]},
    ],
)
def test_what_was_stored_does_not_differ(fields: Body) -> None:
    live = stored(made(**fields))
    for item in container(live)["env"]:
        if item.get("value") == "":
            del item["value"]
    assert differences(made(**fields), live) == []


@pytest.mark.parametrize(
    ("declared", "kept", "same"),
    [
        ("0.5", "500m", True),
        ("1024Mi", "1Gi", True),
        ("1000M", "1G", True),
        ("1.5Gi", "1536Mi", True),
        ("2", 2, True),
        (2, "2", True),
        ("1e3", "1k", True),
        ("1E-3", "1m", True),
        ("1e3", "1E", False),
        ("5.", "5", True),
        (".5", "500m", True),
        ("+1", "1", True),
        ("100u", "0.1m", True),
        ("1Pi", "1024Ti", True),
        ("500m", "501m", False),
        ("1Gi", "1G", False),
        ("1", None, False),
        ("1", "much", False),
    ],
)
def test_quantities_are_compared_by_value(declared: str | int, kept: Any, same: bool) -> None:
    wanted = made(resources={"limits": {"cpu": declared}})
    live = stored(wanted)
    container(live)["resources"] = {"limits": {"cpu": kept} if kept is not None else {}}
    assert (differences(wanted, live) == []) is same


def test_other_values_are_compared_as_they_are() -> None:
    wanted = made(env=[{"name": "RATIO", "value": "1.0"}])
    live = stored(wanted)
    container(live)["env"][-1]["value"] = "1"
    assert paths(wanted, live) == ["spec.template.spec.containers[wsproxy].env[RATIO].value"]


def test_an_edit_by_hand_is_found_by_its_path() -> None:
    live = stored(made(replicas=1))
    live["spec"]["replicas"] = 3
    container(live)["image"] = "other"
    container(live)["command"] = ["sh"]
    del live["spec"]["template"]["spec"]["automountServiceAccountToken"]
    assert paths(made(replicas=1), live) == [
        "spec.template.spec.automountServiceAccountToken",
        "spec.template.spec.containers[wsproxy].image",
        "spec.template.spec.containers[wsproxy].command",
        "spec.replicas",
    ]


def test_what_others_add_stays() -> None:
    live = stored(made())
    live["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"] = "now"
    live["spec"]["template"]["spec"]["containers"].insert(0, {"name": "sidecar", "image": "x"})
    container({"spec": live["spec"]})["env"] = []
    assert differences(made(), live) == []


def test_a_field_that_spec_has_dropped_is_noticed_by_the_hash() -> None:
    live = stored(made(nodeSelector={"zone": "eu"}))
    assert differences(made(), live) == [("", "as it was applied before", "as it is declared")]
    live["metadata"]["annotations"][APPLIED_HASH] = made()["metadata"]["annotations"][APPLIED_HASH]
    assert differences(made(), live) == []


def test_a_new_token_makes_new_pods() -> None:
    rotated = Placement(**{**vars(PLACE), "token_fingerprint": "def"})
    [path] = paths(made(rotated), stored(made()))
    assert path.startswith("spec.template.metadata.annotations.")


def status(observed: int = 2, ready: int = 1, **conditions: str) -> Body:
    listed = [{"type": name, "status": value, "message": f"{name} is {value}"} for name, value in conditions.items()]
    counts = {"replicas": 1, "readyReplicas": ready, "observedGeneration": observed}
    return {"metadata": {"generation": 2}, "spec": {"replicas": 1}, "status": counts | {"conditions": listed}}


@pytest.mark.parametrize(
    ("live", "available", "message"),
    [
        (status(Available="True", Progressing="True"), True, "1 of 1 replicas are ready"),
        (status(observed=1, Available="True"), False, "1 of 1 replicas are ready"),
        (status(ready=0, Available="False"), False, "0 of 1 replicas are ready; Available is False"),
        (
            status(ready=0, Available="False", Progressing="False"),
            False,
            "0 of 1 replicas are ready; Available is False; Progressing is False",
        ),
        (status(Available="True", ReplicaFailure="True"), True, "1 of 1 replicas are ready; ReplicaFailure is True"),
        ({"metadata": {"generation": 1}, "spec": {}}, False, "0 of 1 replicas are ready"),
    ],
)
def test_availability_is_what_the_deployment_says_of_its_present_spec(
    live: Body, available: bool, message: str
) -> None:
    found = availability(live)
    assert (found.available, found.message) == (available, message)
