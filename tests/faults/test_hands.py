"""What people and other programs do to our objects by hand: nothing is stuck, nothing is left in Coder unsaid."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from coder_enterprise.cluster.marks import CLAIMS
from coder_enterprise.kinds.machinery.resource import FINALIZER, WATCH_LABEL
from tests.support.faults import fault
from tests.support.kubernetes import Namespace
from tests.support.manifests import group, proxy, workload
from tests.support.waiting import wait_until
from tools.coder_api import CoderAPI
from tools.operator_process import OperatorProcess
from tools.server_process import CoderServer

PROXY = "CoderWorkspaceProxy"
QUOTA = "secrets"
COUNT = 10


def finalizers(namespace: Namespace, name: str) -> list[str]:
    found: list[str] = namespace.get("CoderGroup", name)["metadata"].get("finalizers", [])
    return found


@fault(
    name="finalizer taken by hand",
    injected="`kubectl patch` takes the finalizers of an applied object.",
    verdict="Ours is there again at once, and the object's deletion still deletes what it made.",
)
def test_a_finalizer_that_was_taken_is_put_back(connected: Namespace, coder: CoderAPI) -> None:
    connected.apply(group("platform"))
    connected.wait_for("CoderGroup", "platform", "Applied")
    connected.patch("CoderGroup", "platform", {"metadata": {"finalizers": None}})
    wait_until(lambda: finalizers(connected, "platform") == [FINALIZER], "it is there again")
    connected.delete("CoderGroup", "platform")
    connected.wait_until_gone("CoderGroup", "platform")
    assert coder.find_group("platform") is None


@fault(
    name="finalizer taken by hand during a deletion",
    injected="Coder is away, an object is being deleted, and somebody takes its finalizers.",
    verdict="It goes; what it made stays in Coder, and an object of the same name says that it exists.",
)
def test_an_object_whose_finalizer_is_taken_while_it_goes_is_forgotten(
    connected: Namespace, server: CoderServer, coder: CoderAPI
) -> None:
    connected.apply(group("platform"))
    connected.wait_for("CoderGroup", "platform", "Applied")
    server.stop()
    connected.delete("CoderGroup", "platform")
    connected.wait_for("CoderGroup", "platform", "Deleting")
    connected.patch("CoderGroup", "platform", {"metadata": {"finalizers": None}})
    connected.wait_until_gone("CoderGroup", "platform")
    server.start()
    connected.wait_for("CoderDeployment", "coder", "Connected", timeout=45)
    connected.apply(group("platform"))
    connected.wait_for("CoderGroup", "platform", "AlreadyExists")
    assert coder.find_group("platform") is not None


@pytest.fixture
def with_proxy(connected: Namespace) -> Namespace:
    connected.apply(proxy("eu", workload=workload()))
    wait_until(lambda: connected.secret("eu-token").get("CODER_PROXY_SESSION_TOKEN"), "the token is written")
    wait_until(lambda: connected.find("Deployment", "eu-wsproxy"), "there is a workload")
    return connected


@fault(
    name="label stomped",
    injected="Somebody takes the labels of a Secret that the operator made.",
    verdict="They are there again at once, and the token is the same.",
)
def test_labels_that_were_taken_are_put_back(with_proxy: Namespace) -> None:
    before = with_proxy.secret("eu-token")
    with_proxy.patch("Secret", "eu-token", {"metadata": {"labels": None}})
    wait_until(
        lambda: with_proxy.get("Secret", "eu-token")["metadata"].get("labels") == {WATCH_LABEL: "true"},
        "the label is there again",
    )
    assert with_proxy.secret("eu-token") == before


@fault(
    name="owner references stomped",
    injected="Somebody takes the owner references of the Secret and the Deployment of a workspace proxy.",
    verdict="They are there again, the token is the same, and both go with the object.",
)
def test_owner_references_that_were_taken_are_put_back(with_proxy: Namespace) -> None:
    before, owner = with_proxy.secret("eu-token"), with_proxy.get(PROXY, "eu")["metadata"]["uid"]
    made = (("Deployment", "eu-wsproxy"), ("Secret", "eu-token"))
    for kind, name in made:
        with_proxy.patch(kind, name, {"metadata": {"ownerReferences": None}})

    def owners() -> list[str]:
        references = [with_proxy.get(kind, name)["metadata"].get("ownerReferences", []) for kind, name in made]
        return [reference["uid"] for found in references for reference in found]

    wait_until(lambda: owners() == [owner, owner], "they are there again")
    assert with_proxy.secret("eu-token") == before


@pytest.fixture
def replica(connected: Namespace, tmp_path: Path) -> Iterator[None]:
    """A second operator."""
    options = ("--namespace", connected.name, "--lease-namespace", connected.name)
    with OperatorProcess(connected.plane.kubeconfig, tmp_path / "replica.log", *options):
        yield


@fault(
    name="Secret of claims deleted",
    injected="Somebody deletes the Secret with the key that proves after a crash what is whose, beside two replicas.",
    verdict="It is there again, with the same key.",
)
@pytest.mark.usefixtures("replica")
def test_the_key_of_claims_survives_its_secret(connected: Namespace) -> None:
    key = connected.secret(CLAIMS)
    assert key["key"]
    for _ in range(2):
        connected.delete("Secret", CLAIMS)
        wait_until(lambda: connected.secret(CLAIMS) == key, "it is there again")


@fault(
    name="Secret of claims spoilt",
    injected="The key in that Secret is replaced by no key, and the Secret deleted.",
    verdict="It is there again, with the key that it had.",
)
def test_what_is_no_key_takes_the_place_of_none(connected: Namespace) -> None:
    key = connected.secret(CLAIMS)
    connected.patch("Secret", CLAIMS, {"data": {"key": None}})
    connected.delete("Secret", CLAIMS)
    wait_until(lambda: connected.secret(CLAIMS) == key, "it is there again")


@fault(
    name="Secret of claims replaced",
    injected="The Secret is given another key, as a replica does that starts while it is gone, and is deleted.",
    verdict="The other key counts: it is what comes back.",
)
def test_another_key_counts_for_those_who_had_the_old_one(connected: Namespace) -> None:
    another = base64.b64encode(base64.b64encode(bytes(32))).decode()
    connected.patch("Secret", CLAIMS, {"data": {"key": another}})
    connected.delete("Secret", CLAIMS)
    wait_until(lambda: connected.secret(CLAIMS).get("key") == base64.b64decode(another).decode(), "it is there again")


def limit_secrets(namespace: Namespace) -> None:
    """To those that there are. No controller counts here, so what it would say is said for it."""
    limits = {"hard": {"secrets": "1"}}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": QUOTA}, "spec": limits}
    counted = json.dumps({"status": {**limits, "used": {"secrets": "1"}}})
    namespace.plane.kubectl("create", "-n", namespace.name, "-f", "-", input=json.dumps(quota))
    namespace.plane.kubectl(
        "patch", "resourcequota", QUOTA, "-n", namespace.name, "--subresource=status", "--type=merge", "-p", counted
    )


@fault(
    name="quota exhausted",
    injected="The ResourceQuota of the namespace allows no further Secret, and a workspace proxy needs one.",
    verdict="It says so and what to do; no proxy is made in Coder before there is room, and one then.",
)
def test_a_quota_that_is_exhausted_is_said_and_makes_nothing_in_coder(connected: Namespace, coder: CoderAPI) -> None:
    limit_secrets(connected)
    connected.apply(proxy("eu"))
    said = connected.wait_for(PROXY, "eu", "Forbidden")["message"]
    assert "exceeded quota" in said
    assert "raise the ResourceQuota" in said
    assert coder.proxies() == {}
    connected.plane.kubectl("delete", "resourcequota", QUOTA, "-n", connected.name)
    connected.annotate(PROXY, "eu", reconcile_requested_at="there is room")
    connected.wait_for(PROXY, "eu", "NotRegistered")
    assert coder.accepts_proxy_token(connected.secret("eu-token")["CODER_PROXY_SESSION_TOKEN"])
    assert list(coder.proxies()) == ["eu"]


@fault(
    name="namespace deleted in mid-create",
    injected="The namespace is deleted when the first of ten groups and a workspace proxy has been made.",
    verdict="It goes, and Coder has none of them.",
)
def test_a_namespace_that_is_deleted_while_objects_are_made_leaves_nothing(
    connected: Namespace, coder: CoderAPI
) -> None:
    names = [f"group-{number}" for number in range(COUNT)]
    connected.apply(*map(group, names), proxy("eu", workload=workload()))
    wait_until(lambda: coder.find_group(names[0]), "the first is made", interval=0.005)
    connected.delete_itself()
    wait_until(lambda: not connected.exists(), "the namespace is gone", timeout=60)
    assert [body["name"] for body in coder.groups() if body["name"] != "Everyone"] == []
    assert list(coder.proxies()) == []
