"""Secrets and workloads beside an object, on a real API server: applied, owned, noticed and removed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from coder_enterprise.kinds.machinery.resource import WATCH_LABEL
from tests.support.keeping import KEPT
from tests.support.kubernetes import Namespace
from tests.support.manifests import Body, deployment, group, secret
from tests.support.waiting import wait_until
from tools.processes import Process
from tools.server_process import CoderServer


@pytest.fixture
def keeping(namespace: Namespace, server: CoderServer, tmp_path: Path) -> Iterator[Namespace]:
    """With an operator whose groups keep a Secret and a workload."""
    command = [sys.executable, "-m", "tests.support.keeping", str(namespace.plane.kubeconfig), namespace.name]
    process = Process("operator", command, tmp_path / "operator.log", {})
    namespace.apply(secret(token=server.token), deployment(server.url))
    yield namespace
    process.stop()
    print(process.tail())


def find(namespace: Namespace, kind: str) -> Body:
    return wait_until(lambda: namespace.find(kind, KEPT), f"there is a {kind}") or {}


def test_they_are_applied_owned_by_the_object_and_go_with_it(keeping: Namespace) -> None:
    keeping.apply(group("platform", quotaAllowance=2))
    keeping.wait_for("CoderGroup", "platform", "Applied")
    uid = keeping.get("CoderGroup", "platform")["metadata"]["uid"]
    for kind in ("Secret", "Deployment"):
        metadata = find(keeping, kind)["metadata"]
        (owner,) = metadata["ownerReferences"]
        assert (owner["kind"], owner["name"], owner["uid"]) == ("CoderGroup", "platform", uid)
        assert owner["controller"]
        applied = {item["manager"] for item in metadata["managedFields"] if item["operation"] == "Apply"}
        assert applied == {"coder-enterprise-operator"}
    assert find(keeping, "Secret")["metadata"]["labels"] == {WATCH_LABEL: "true"}
    keeping.delete("CoderGroup", "platform")
    for kind in ("Secret", "Deployment"):
        # The garbage collector learns of new kinds every thirty seconds.
        keeping.wait_until_gone(kind, KEPT, timeout=90)


def test_a_lost_secret_is_noticed_at_once_and_made_again(keeping: Namespace) -> None:
    keeping.apply(group("platform"))
    keeping.wait_for("CoderGroup", "platform", "Applied")
    keeping.delete("Secret", KEPT)
    wait_until(lambda: keeping.find("Secret", KEPT), "the Secret is there again")


def test_a_secret_that_somebody_changes_is_put_right(keeping: Namespace) -> None:
    keeping.apply(group("platform"))
    keeping.wait_for("CoderGroup", "platform", "Applied")
    right = find(keeping, "Secret")["data"]
    keeping.patch("Secret", KEPT, {"stringData": {"key": "another"}})
    wait_until(lambda: find(keeping, "Secret")["data"] == right, "the Secret is as it was")


def test_a_foreign_secret_is_refused_and_left_as_it_is(keeping: Namespace) -> None:
    keeping.apply(secret(KEPT, theirs="x"), group("platform"))
    refused = keeping.wait_for("CoderGroup", "platform", "Conflict")
    assert f"Secret {keeping.name}/{KEPT} exists and does not belong to this object" in refused["message"]
    assert list(find(keeping, "Secret")["data"]) == ["theirs"]
    keeping.delete("Secret", KEPT)
    keeping.wait_for("CoderGroup", "platform", "Applied")


def test_a_workload_follows_its_object_and_is_deleted_when_it_is_not_wanted(keeping: Namespace) -> None:
    for wanted in (1, 3):
        keeping.apply(group("platform", quotaAllowance=wanted))
        keeping.wait_for("CoderGroup", "platform", "Applied")
        assert find(keeping, "Deployment")["spec"]["replicas"] == wanted
    keeping.apply(group("platform", quotaAllowance=0))
    keeping.wait_until_gone("Deployment", KEPT)
