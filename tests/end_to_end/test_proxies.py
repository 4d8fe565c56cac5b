"""CoderWorkspaceProxy from YAML to Coder and back, with a real proxy that uses the token from the Secret."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.faults import fault
from tests.support.kubernetes import Namespace
from tests.support.manifests import Body, proxy, secret, workload
from tests.support.waiting import wait_until
from tools.coder_api import CoderAPI
from tools.operator_process import OperatorProcess
from tools.server_process import CoderServer
from tools.wsproxy_process import WorkspaceProxyProcess

KIND = "CoderWorkspaceProxy"
WITHIN_A_MINUTE = 60.0


BOTH_PROFILES = pytest.mark.parametrize("server", ["documented", "codersdk"], indirect=True)


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[CoderServer]:
    """A real API server, which looks at its proxies every two seconds."""
    profile = getattr(request, "param", "documented")
    with CoderServer(profile=profile, CODER_PROXY_HEALTH_INTERVAL="2s") as process:
        yield process
        print(process.log.read_text()[-4000:])


def token(namespace: Namespace, name: str = "eu-token") -> str:
    return namespace.secret(name).get("CODER_PROXY_SESSION_TOKEN", "")


def made(namespace: Namespace, **spec: Any) -> str:
    """The token of the proxy `eu`, which is in Coder."""
    namespace.apply(proxy("eu", **spec))
    namespace.wait_for(KIND, "eu", "NotRegistered")
    return token(namespace)


def another_token(namespace: Namespace, old: str) -> str:
    def probe() -> str:
        found = token(namespace)
        return found if found not in {"", old} else ""

    new = wait_until(probe, "there is another token")
    wait_until(lambda: namespace.status(KIND, "eu").get("tokenFingerprint"), "the new token is recorded")
    return new


@BOTH_PROFILES
def test_a_proxy_is_made_with_its_token_in_a_secret(connected: Namespace, coder: CoderAPI, server: CoderServer) -> None:
    first = made(connected, displayName="Europe", icon="/emojis/1f1ea-1f1fa.png")
    found = coder.proxies()["eu"]
    assert (found["display_name"], found["icon_url"]) == ("Europe", "/emojis/1f1ea-1f1fa.png")
    assert connected.secret("eu-token")["CODER_PRIMARY_ACCESS_URL"] == server.url
    assert first.startswith(f"{found['id']}:")
    assert coder.accepts_proxy_token(first)
    status = connected.status(KIND, "eu")
    assert (status["id"], status["health"]["status"]) == (found["id"], "unregistered")
    assert connected.condition(KIND, "eu", "Reconciling")["reason"] == "NotRegistered"
    assert connected.condition(KIND, "eu", "Registered")["status"] == "False"
    assert first.partition(":")[2] not in json.dumps([connected.all(KIND), connected.all("Event")])


@BOTH_PROFILES
def test_a_real_proxy_comes_goes_and_comes_back(connected: Namespace, server: CoderServer, tmp_path: Path) -> None:
    first = made(connected)
    with WorkspaceProxyProcess(server.url, first, tmp_path / "proxy.log") as process:
        ready = connected.wait_for(KIND, "eu", "Applied")
        assert ready["status"] == "True"
        status = connected.status(KIND, "eu")
        assert (status["url"], status["health"]["status"]) == (process.url, "ok")
        healthy = connected.condition(KIND, "eu", "Healthy")
        assert (healthy["status"], healthy["reason"]) == ("True", "ProxyHealthy")
        address = process.url.removeprefix("http://")

        process.stop()
        gone = connected.wait_for(KIND, "eu", "ProxyUnreachable", timeout=WITHIN_A_MINUTE)
        assert (gone["status"], address in gone["message"]) == ("False", True)
        assert connected.condition(KIND, "eu", "Reconciling")["status"] == "True"
        assert connected.status(KIND, "eu")["health"]["errors"]

    with WorkspaceProxyProcess(server.url, first, tmp_path / "again.log", CODER_HTTP_ADDRESS=address):
        connected.wait_for(KIND, "eu", "Applied", timeout=WITHIN_A_MINUTE)
        assert "errors" not in connected.status(KIND, "eu")["health"]


@BOTH_PROFILES
def test_the_token_is_rotated_by_annotation_once_for_each_value(connected: Namespace, coder: CoderAPI) -> None:
    first = made(connected)
    connected.annotate(KIND, "eu", rotate_token_at="monday")
    second = another_token(connected, first)
    assert (coder.accepts_proxy_token(first), coder.accepts_proxy_token(second)) == (False, True)
    assert connected.status(KIND, "eu")["lastHandledRotateAt"] == "monday"
    connected.annotate(KIND, "eu", reconcile_requested_at="tuesday")
    wait_until(
        lambda: connected.status(KIND, "eu").get("lastHandledReconcileAt") == "tuesday", "the request is acknowledged"
    )
    assert token(connected) == second


@fault(
    name="Secret of a proxy lost or overwritten",
    injected="The Secret is deleted, and its token is replaced by another value.",
    verdict="It is there again, with a token that Coder accepts.",
)
def test_a_token_that_is_lost_or_overwritten_is_replaced(connected: Namespace, coder: CoderAPI) -> None:
    first = made(connected)
    connected.delete("Secret", "eu-token")
    second = another_token(connected, first)
    assert (coder.accepts_proxy_token(first), coder.accepts_proxy_token(second)) == (False, True)
    for broken in ("", "mine"):
        before = token(connected)
        connected.patch("Secret", "eu-token", {"stringData": {"CODER_PROXY_SESSION_TOKEN": broken}})
        wait_until(lambda: token(connected) not in {broken, before}, "there is another token")  # noqa: B023
        assert coder.accepts_proxy_token(token(connected))


@BOTH_PROFILES
def test_edits_and_drift_are_applied_and_the_token_stays(connected: Namespace, coder: CoderAPI) -> None:
    first = made(connected, displayName="Europe")
    icon = coder.proxies()["eu"]["icon_url"]
    connected.apply(proxy("eu", name="europe-west", displayName="Europe West"))
    wait_until(lambda: "europe-west" in coder.proxies(), "the proxy is renamed")
    found = coder.proxies()["europe-west"]
    assert (found["display_name"], found["icon_url"]) == ("Europe West", icon)
    coder.patch_proxy(found["id"], id=found["id"], name="by-hand", display_name="By hand", icon="/icon/coder.svg")
    wait_until(lambda: "europe-west" in coder.proxies(), "the drift is repaired")
    found = coder.proxies()["europe-west"]
    assert (found["display_name"], found["icon_url"]) == ("Europe West", "/icon/coder.svg")
    assert token(connected) == first
    assert coder.accepts_proxy_token(first)


def test_a_secret_of_somebody_else_is_not_touched_and_no_proxy_is_made(connected: Namespace, coder: CoderAPI) -> None:
    connected.apply(secret("eu-token", mine="yes"))
    connected.apply(proxy("eu"))
    refused = connected.wait_for(KIND, "eu", "Conflict")
    assert "eu-token" in refused["message"]
    assert connected.secret("eu-token") == {"mine": "yes"}
    assert coder.proxies() == {}
    connected.apply(proxy("eu", tokenSecret={"name": "another"}))
    connected.wait_for(KIND, "eu", "NotRegistered")
    assert coder.accepts_proxy_token(token(connected, "another"))


def test_what_exists_is_adopted_only_with_a_new_token(connected: Namespace, coder: CoderAPI) -> None:
    theirs = coder.create_proxy("EU", display_name="EU", icon="/icon/coder.svg")
    connected.apply(proxy("eu", name="EU"))
    refused = connected.wait_for(KIND, "eu", "AlreadyExists")
    assert "a new token" in refused["message"]
    assert connected.secret("eu-token") == {}
    connected.apply(proxy("eu", name="EU", adoptionPolicy="Adopt"))
    connected.wait_for(KIND, "eu", "NotRegistered")
    assert connected.status(KIND, "eu")["id"] == theirs["id"]
    assert coder.accepts_proxy_token(token(connected))


def test_names_are_the_same_without_regard_to_case(connected: Namespace, coder: CoderAPI) -> None:
    made(connected)
    connected.apply(proxy("second", name="EU", adoptionPolicy="Adopt"))
    conflict = connected.wait_for(KIND, "second", "Conflict")
    assert f"{connected.name}/eu" in conflict["message"]
    assert list(coder.proxies()) == ["eu"]


def test_plan_and_observe_write_nothing(connected: Namespace, coder: CoderAPI) -> None:
    connected.apply(proxy("eu", managementPolicy="Plan", workload=workload()))
    connected.wait_for(KIND, "eu", "Planned")
    paths = [change["path"] for change in connected.status(KIND, "eu")["pendingChanges"]]
    assert paths == ["spec", "spec.tokenSecret", "spec.workload"]
    connected.apply(proxy("us", managementPolicy="Observe"))
    connected.wait_for(KIND, "us", "NotFound")
    assert (coder.proxies(), connected.secret("eu-token"), connected.all("Deployment")) == ({}, {}, [])
    theirs = coder.create_proxy("us", display_name="US", icon="/icon/coder.svg")
    connected.annotate(KIND, "us", reconcile_requested_at="1")
    connected.wait_for(KIND, "us", "Observed")
    assert connected.condition(KIND, "us", "Synced")["status"] == "True"
    assert connected.status(KIND, "us")["health"]["status"] == "unregistered"
    assert coder.proxies()["us"]["id"] == theirs["id"]


def test_deleting_the_object_deletes_the_proxy(connected: Namespace, coder: CoderAPI) -> None:
    first = made(connected)
    connected.delete(KIND, "eu")
    connected.wait_until_gone(KIND, "eu")
    assert coder.proxies() == {}
    assert not coder.accepts_proxy_token(first)


def test_a_proxy_that_was_deleted_behind_our_back_comes_back_or_is_no_obstacle(
    connected: Namespace, coder: CoderAPI
) -> None:
    first = made(connected)
    before = connected.status(KIND, "eu")["id"]
    coder.delete_proxy(before)
    second = another_token(connected, first)
    after = wait_until(lambda: coder.proxies().get("eu"), "the proxy exists again")
    assert after is not None
    assert second.startswith(f"{after['id']}:")
    wait_until(lambda: connected.status(KIND, "eu")["id"] == after["id"], "the new id is recorded")
    coder.delete_proxy(after["id"])
    connected.delete(KIND, "eu")
    connected.wait_until_gone(KIND, "eu")


def test_at_rest_nothing_is_written(
    connected: Namespace, server: CoderServer, operator: OperatorProcess, tmp_path: Path
) -> None:
    first = made(connected, workload=workload(replicas=1, resources={"requests": {"cpu": "0.5", "memory": "1024Mi"}}))
    make_available(connected)
    with WorkspaceProxyProcess(server.url, first, tmp_path / "proxy.log"):
        connected.wait_for(KIND, "eu", "Applied")
        wake(connected, operator, "0")  # what follows the condition, its event, is written by then
        before, versions = ours(connected), resting(connected)
        for number in "123":
            wake(connected, operator, number)
        assert ours(connected) == before
        assert resting(connected) == versions


def wake(namespace: Namespace, operator: OperatorProcess, value: str) -> None:
    visited = visits(operator)
    namespace.annotate("Secret", "eu-token", touched=value)
    wait_until(lambda: visits(operator) > visited, "the proxy is visited")


def visits(operator: OperatorProcess) -> float:
    found = re.search(r'reconciles_total{kind="CoderWorkspaceProxy",result="done"} ([0-9.]+)', operator.metrics())
    return float(found[1]) if found else 0.0


def ours(namespace: Namespace) -> int:
    """How often the operator has written anything but a CoderDeployment."""
    return sum(1 for entry in namespace.writes() if entry["objectRef"]["resource"] != "coderdeployments")


def resting(namespace: Namespace) -> list[str]:
    return [
        namespace.get(kind, name)["metadata"]["resourceVersion"]
        for kind, name in ((KIND, "eu"), ("Deployment", "eu-wsproxy"))
    ]


# The workload


def make_available(namespace: Namespace, replicas: int = 1) -> None:
    """There is no kubelet: say in its place that the pods are ready."""
    wait_until(lambda: len(namespace.all("Pod")) == replicas, f"there are {replicas} pods")
    for body in namespace.all("Pod"):
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": body["metadata"]["creationTimestamp"]}
        namespace.patch(
            "Pod", body["metadata"]["name"], {"status": {"phase": "Running", "conditions": [ready]}}, "status"
        )
    namespace.wait_for(KIND, "eu", "WorkloadAvailable", type_="WorkloadAvailable")


def pod(namespace: Namespace) -> Body:
    template: Body = namespace.get("Deployment", "eu-wsproxy")["spec"]["template"]
    return template


def test_a_workload_runs_the_proxy_and_rolls_with_its_token(connected: Namespace) -> None:
    first = made(connected, workload=workload(replicas=1))
    connected.wait_for(KIND, "eu", "WorkloadUnavailable", type_="WorkloadAvailable")
    wait_until(
        lambda: "0 of 1 replicas" in connected.condition(KIND, "eu", "WorkloadAvailable")["message"], "it is counted"
    )
    container = pod(connected)["spec"]["containers"][0]
    env = {item["name"]: item for item in container["env"]}
    assert env["CODER_PROXY_SESSION_TOKEN"]["valueFrom"]["secretKeyRef"]["name"] == "eu-token"
    assert env["CODER_ACCESS_URL"]["value"] == "https://eu.coder.example.com"
    assert first not in json.dumps(connected.get("Deployment", "eu-wsproxy"))
    make_available(connected)
    checksum = pod(connected)["metadata"]["annotations"]
    connected.annotate(KIND, "eu", rotate_token_at="now")
    another_token(connected, first)
    wait_until(lambda: pod(connected)["metadata"]["annotations"] != checksum, "the pods roll")


def test_a_workload_scales_by_kubectl_and_is_repaired(connected: Namespace) -> None:
    made(connected, workload=workload(replicas=1))
    connected.wait_for(KIND, "eu", "WorkloadUnavailable", type_="WorkloadAvailable")
    connected.plane.kubectl("scale", "-n", connected.name, "coderproxy/eu", "--replicas=3")
    wait_until(lambda: connected.get("Deployment", "eu-wsproxy")["spec"]["replicas"] == 3, "it is scaled")
    make_available(connected, 3)
    assert connected.status(KIND, "eu")["readyReplicas"] == 3
    connected.patch("Deployment", "eu-wsproxy", {"spec": {"replicas": 7}})
    wait_until(lambda: connected.get("Deployment", "eu-wsproxy")["spec"]["replicas"] == 3, "it is repaired")


def test_a_workload_that_is_dropped_goes(connected: Namespace) -> None:
    made(connected, workload=workload())
    connected.wait_for(KIND, "eu", "WorkloadUnavailable", type_="WorkloadAvailable")
    connected.patch(KIND, "eu", {"spec": {"workload": None}})
    wait_until(lambda: connected.find("Deployment", "eu-wsproxy") is None, "the Deployment is gone")
    wait_until(lambda: "selector" not in connected.status(KIND, "eu"), "status has forgotten it")
    assert connected.condition(KIND, "eu", "WorkloadAvailable") == {}


def test_a_deployment_of_somebody_else_is_not_touched_and_costs_no_token(connected: Namespace, coder: CoderAPI) -> None:
    labels = {"app": "mine"}
    container = {"name": "mine", "image": "mine"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    connected.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "eu-wsproxy"}, "spec": spec})
    connected.apply(proxy("eu", workload=workload()))
    connected.wait_for(KIND, "eu", "Conflict")
    first = token(connected)
    connected.annotate(KIND, "eu", reconcile_requested_at="1")
    wait_until(lambda: connected.status(KIND, "eu").get("lastHandledReconcileAt") == "1", "the request is acknowledged")
    assert token(connected) == first
    assert coder.accepts_proxy_token(first)
    assert pod(connected)["spec"]["containers"][0]["name"] == "mine"


def test_what_kubernetes_refuses_is_said(connected: Namespace) -> None:
    connected.apply(proxy("eu", workload=workload(nodeSelector={"not a label": "x"})))
    refused = connected.wait_for(KIND, "eu", "Refused")
    assert "nodeSelector" in refused["message"]
    assert connected.condition(KIND, "eu", "Stalled")["status"] == "True"
