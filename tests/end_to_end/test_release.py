"""`coder-enterprise release`: after it nothing of the operator's keeps an object from being deleted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from coder_enterprise.cluster.marks import OPERATOR_LABEL
from coder_enterprise.kinds.machinery.resource import CLAIM, FINALIZER
from tests.support.kubernetes import Body, Namespace
from tests.support.manifests import group, user
from tools.kubernetes.control_plane import ControlPlane

FOREIGN = "example.com/keep"


def release(plane: ControlPlane, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "coder_enterprise", "release", "--kubeconfig", str(plane.kubeconfig), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def held(body: Body, *finalizers: str) -> Body:
    """With the operator's finalizer and claim, as if it had been at work."""
    metadata = {**body["metadata"], "finalizers": [FINALIZER, *finalizers], "annotations": {CLAIM: "uid/name"}}
    return {**body, "metadata": metadata}


def finalizers(namespace: Namespace, kind: str, name: str) -> list[str]:
    found: list[str] = namespace.get(kind, name)["metadata"].get("finalizers", [])
    return found


def test_it_takes_our_finalizer_and_claim_from_every_kind_and_leaves_those_of_others(namespace: Namespace) -> None:
    namespace.apply(held(group("platform"), FOREIGN), held(user("ann")), group("untouched"))
    result = release(namespace.plane, "--namespace", namespace.name)
    assert result.returncode == 0, result.stderr
    assert sorted(result.stdout.splitlines()) == [
        "2 objects released",
        f"CoderGroup {namespace.name}/platform: released",
        f"CoderUser {namespace.name}/ann: released",
    ]
    assert finalizers(namespace, "CoderGroup", "platform") == [FOREIGN]
    assert finalizers(namespace, "CoderUser", "ann") == []
    assert CLAIM not in namespace.get("CoderGroup", "platform")["metadata"].get("annotations", {})


def test_an_object_that_is_being_deleted_goes(namespace: Namespace) -> None:
    namespace.apply(held(group("platform")))
    namespace.delete("CoderGroup", "platform")
    release(namespace.plane, "--namespace", namespace.name)
    assert namespace.find("CoderGroup", "platform") is None


def test_it_may_be_run_again(namespace: Namespace) -> None:
    namespace.apply(held(group("platform")))
    release(namespace.plane, "--namespace", namespace.name)
    version = namespace.get("CoderGroup", "platform")["metadata"]["resourceVersion"]
    again = release(namespace.plane, "--namespace", namespace.name)
    assert (again.returncode, again.stdout) == (0, "0 objects released\n")
    assert namespace.get("CoderGroup", "platform")["metadata"]["resourceVersion"] == version


def test_other_namespaces_are_left_alone(namespace: Namespace) -> None:
    namespace.apply(held(group("platform")))
    assert release(namespace.plane, "--namespace", "default").stdout == "0 objects released\n"
    assert finalizers(namespace, "CoderGroup", "platform") == [FINALIZER]


def test_the_operator_is_ended_before_it(namespace: Namespace) -> None:
    namespace.apply(operator_deployment())
    end = f"{namespace.name}/operator"
    result = release(namespace.plane, "--namespace", namespace.name, "--end-operator", end)
    assert result.stdout.splitlines()[0] == f"Deployment {end}: gone"
    assert namespace.find("Deployment", "operator") is None


def test_its_leases_go_with_the_operator_and_those_of_others_stay(namespace: Namespace) -> None:
    namespace.apply(
        operator_deployment(), lease("replica", "operator"), lease("shard", "operator"), lease("x", "other")
    )
    end = f"{namespace.name}/operator"
    options = ("--namespace", namespace.name, "--end-operator", end, "--lease-name", "operator")
    assert release(namespace.plane, *options).stdout.splitlines()[1] == "2 Leases removed"
    assert [body["metadata"]["name"] for body in namespace.all("Lease")] == ["x"]


def test_an_operator_that_does_not_end_keeps_nothing_back(namespace: Namespace) -> None:
    """Such as one on a node that is lost."""
    body = operator_deployment()
    body["metadata"]["finalizers"] = [FOREIGN]
    namespace.apply(body, held(group("platform")))
    end = f"{namespace.name}/operator"
    result = release(namespace.plane, "--namespace", namespace.name, "--end-operator", end, "--timeout", "0")
    assert (result.returncode, result.stdout.splitlines()[0]) == (0, f"Deployment {end}: not gone after 0 s")
    assert finalizers(namespace, "CoderGroup", "platform") == []


def test_what_it_cannot_use_is_said(namespace: Namespace, tmp_path: Path) -> None:
    result = release(namespace.plane, "--end-operator", "operator")
    assert (result.returncode, result.stderr) == (
        1,
        "coder-enterprise release: --end-operator: 'operator' is not NAMESPACE/NAME\n",
    )


def lease(name: str, operator: str) -> Body:
    metadata = {"name": name, "labels": {OPERATOR_LABEL: operator}}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata}


def operator_deployment() -> Body:
    labels = {"app": "operator"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "operator", "image": "operator"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "operator"},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": pod},
    }
