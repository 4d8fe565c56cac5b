"""CoderDeployment: what is wrong is said on it, and put right without touching it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.faults import fault
from tests.support.front import Certificate, Front, Mode
from tests.support.kubernetes import Namespace
from tests.support.manifests import Body, deployment, group, secret
from tests.support.waiting import wait_until
from tools.coder_api import CoderAPI
from tools.operator_process import OperatorProcess
from tools.processes import free_ports
from tools.server_process import CoderServer, new_token

pytestmark = pytest.mark.usefixtures("operator")


@pytest.fixture
def front(server: CoderServer) -> Iterator[Front]:
    with Front(server.url) as proxy:
        yield proxy


def ca_secret(certificate: Certificate) -> Body:
    body = secret("ca")
    return body | {"stringData": {"ca.crt": certificate.pem}}


def wait_for_recovery(namespace: Namespace) -> None:
    """The deployment and what waits for it; the deployment was never written by the test."""
    namespace.wait_for("CoderDeployment", "coder", "Connected", timeout=40)
    namespace.wait_for("CoderGroup", "platform", "Applied")
    assert namespace.get("CoderDeployment", "coder")["metadata"]["generation"] == 1


def test_a_deployment_says_version_identity_and_how_it_is(namespace: Namespace, server: CoderServer) -> None:
    namespace.apply(secret(token=server.token), deployment(server.url))
    namespace.wait_for("CoderDeployment", "coder", "Connected")
    status = namespace.status("CoderDeployment", "coder")
    assert status["version"].startswith("v2.4.0")
    assert status["identity"] == {"url": server.url, "username": "admin", "roles": ["owner"]}
    assert status["circuit"] == "Closed"
    for type_, reason in (("Reachable", "Answering"), ("Authenticated", "TokenAccepted")):
        condition = namespace.condition("CoderDeployment", "coder", type_)
        assert (condition["status"], condition["reason"]) == ("True", reason)


def test_objects_are_counted(namespace: Namespace, server: CoderServer) -> None:
    namespace.apply(secret(token=server.token), deployment(server.url), group("a"), group("b"))
    wait_until(
        lambda: namespace.status("CoderDeployment", "coder").get("managedObjects") == {"total": 2, "ready": 2},
        "both objects are counted as ready",
    )


def test_a_missing_secret_is_named_and_its_arrival_noticed(namespace: Namespace, server: CoderServer) -> None:
    namespace.apply(deployment(server.url), group("platform"))
    missing = namespace.wait_for("CoderDeployment", "coder", "SecretNotFound")
    assert f"{namespace.name}/coder-token" in missing["message"]
    waits = namespace.wait_for("CoderGroup", "platform", "WaitingForDeployment")
    assert "coder-token" in waits["message"]
    namespace.apply(secret(token=server.token))
    wait_for_recovery(namespace)


def test_a_missing_key_is_named_and_its_arrival_noticed(namespace: Namespace, server: CoderServer) -> None:
    namespace.apply(secret(other="value"), deployment(server.url), group("platform"))
    missing = namespace.wait_for("CoderDeployment", "coder", "SecretKeyMissing")
    assert "token" in missing["message"]
    namespace.apply(secret(token=server.token))
    wait_for_recovery(namespace)


@fault(
    name="token refused",
    injected="The Secret has a wrong token, and later the right one.",
    verdict="Stalled until it is replaced, then Ready.",
)
def test_a_wrong_token_stalls_until_it_is_replaced(namespace: Namespace, server: CoderServer) -> None:
    wrong = new_token()
    namespace.apply(secret(token=wrong), deployment(server.url), group("platform"))
    refused = namespace.wait_for("CoderDeployment", "coder", "Unauthorized")
    assert "spec.tokenSecretRef" in refused["message"]
    assert namespace.condition("CoderDeployment", "coder", "Stalled")["status"] == "True"
    assert namespace.condition("CoderDeployment", "coder", "Authenticated")["status"] == "False"
    assert wrong not in str(namespace.all("CoderDeployment")) + str(namespace.all("Event"))
    namespace.apply(secret(token=server.token))
    wait_for_recovery(namespace)


def test_an_unlabelled_secret_is_read_again_too(namespace: Namespace, server: CoderServer) -> None:
    typed = {"type": "enterprise.coder.com/token"}
    namespace.apply(secret(token=new_token(), watched=False) | typed, deployment(server.url), group("platform"))
    namespace.wait_for("CoderDeployment", "coder", "Unauthorized")
    namespace.apply(secret(token=server.token, watched=False) | typed)
    wait_for_recovery(namespace)


def test_a_secret_that_nobody_has_marked_is_not_sent(namespace: Namespace, server: CoderServer) -> None:
    namespace.apply(secret(token=server.token, watched=False), deployment(server.url), group("platform"))
    namespace.wait_for("CoderDeployment", "coder", "SecretNotMarked")
    namespace.apply(secret(token=server.token))
    wait_for_recovery(namespace)


def test_a_server_that_nobody_reaches_is_reported_and_found_when_it_comes(
    namespace: Namespace, server: CoderServer
) -> None:
    server.stop()
    namespace.apply(secret(token=server.token), deployment(server.url), group("platform"))
    unreachable = namespace.wait_for("CoderDeployment", "coder", "Unreachable")
    assert "spec.url" in unreachable["message"]
    assert namespace.condition("CoderDeployment", "coder", "Reachable")["status"] == "False"
    namespace.wait_for("CoderGroup", "platform", "WaitingForDeployment")
    server.start()
    wait_for_recovery(namespace)


def test_a_name_that_does_not_resolve_is_unreachable(namespace: Namespace) -> None:
    url = f"http://no-such-host.invalid:{free_ports(1)[0]}"
    namespace.apply(secret(token=new_token()), deployment(url))
    namespace.wait_for("CoderDeployment", "coder", "Unreachable")


@fault(
    name="login page in place of Coder",
    injected="A front answers each request with HTML.",
    verdict="The CoderDeployment names what came.",
)
def test_html_in_place_of_json_is_called_what_it_is(namespace: Namespace, server: CoderServer, front: Front) -> None:
    front.switch(Mode.HTML)
    namespace.apply(secret(token=server.token), deployment(front.url), group("platform"))
    strange = namespace.wait_for("CoderDeployment", "coder", "UnexpectedAnswer")
    assert "text/html" in strange["message"]
    assert "proxy" in strange["message"]
    front.switch(Mode.PASS)
    wait_for_recovery(namespace)


def test_an_untrusted_certificate_fails_until_its_issuer_is_named(
    namespace: Namespace, server: CoderServer, tmp_path: Path
) -> None:
    right, wrong = Certificate(tmp_path), Certificate(tmp_path)
    with Front(server.url, right) as front:
        namespace.apply(
            secret(token=server.token),
            ca_secret(wrong),
            deployment(front.url, caBundleSecretRef={"name": "ca"}),
            group("platform"),
        )
        failed = namespace.wait_for("CoderDeployment", "coder", "TLSFailed")
        assert "spec.caBundle" in failed["message"]
        assert namespace.condition("CoderDeployment", "coder", "Stalled")["status"] == "True"
        namespace.apply(ca_secret(right))
        wait_for_recovery(namespace)


def test_a_ca_bundle_in_spec_is_trusted(namespace: Namespace, server: CoderServer, tmp_path: Path) -> None:
    certificate = Certificate(tmp_path)
    with Front(server.url, certificate) as front:
        namespace.apply(secret(token=server.token), deployment(front.url, caBundle=certificate.pem))
        namespace.wait_for("CoderDeployment", "coder", "Connected")


@fault(
    name="Coder unreachable",
    injected="All connections to Coder are cut without an answer, until the front lets them pass again.",
    verdict="One condition and one event on the CoderDeployment; objects that are applied stay as they are.",
)
def test_an_outage_is_one_event_and_leaves_settled_objects_as_they_are(
    namespace: Namespace, server: CoderServer, coder: CoderAPI, front: Front
) -> None:
    namespace.apply(secret(token=server.token), deployment(front.url, resyncInterval="5s"))
    namespace.apply(*(group(f"group-{number}") for number in range(10)))
    for number in range(10):
        namespace.wait_for("CoderGroup", f"group-{number}", "Applied")
    before = {body["metadata"]["name"]: body["metadata"]["resourceVersion"] for body in namespace.all("CoderGroup")}
    front.switch(Mode.DROP)
    namespace.wait_for("CoderDeployment", "coder", "Unreachable")
    assert namespace.status("CoderDeployment", "coder")["circuit"] == "Open"
    coder.patch_group(coder.group("group-3")["id"], quota_allowance=9)
    front.switch(Mode.PASS)
    namespace.wait_for("CoderDeployment", "coder", "Connected", timeout=40)
    after = {body["metadata"]["name"]: body["metadata"]["resourceVersion"] for body in namespace.all("CoderGroup")}
    assert after == before
    outages = [event for event in namespace.events("coder") if event["reason"] == "Unreachable"]
    assert len(outages) == 1
    assert outages[0].get("series") is None


@fault(
    name="Coder unreachable",
    injected="As before, and an object is edited meanwhile.",
    verdict="The object says that it waits, and is applied afterwards.",
)
def test_an_edit_during_an_outage_says_so_and_is_applied_afterwards(
    namespace: Namespace, server: CoderServer, coder: CoderAPI
) -> None:
    namespace.apply(secret(token=server.token), deployment(server.url), group("platform", displayName="Old"))
    namespace.wait_for("CoderGroup", "platform", "Applied")
    server.stop()
    namespace.apply(group("platform", displayName="New"))
    fails = namespace.wait_for("CoderGroup", "platform", "Unreachable")
    assert fails["status"] == "False"
    namespace.wait_for("CoderDeployment", "coder", "Unreachable")
    server.start()
    namespace.wait_for("CoderGroup", "platform", "Applied", timeout=40)
    assert coder.group("platform")["display_name"] == "New"


def test_a_group_waits_for_its_deployment_and_wakes_when_it_arrives(namespace: Namespace, server: CoderServer) -> None:
    namespace.apply(group("platform"))
    waits = namespace.wait_for("CoderGroup", "platform", "WaitingForDeployment")
    assert f"there is no CoderDeployment {namespace.name}/coder" in waits["message"]
    namespace.apply(secret(token=server.token), deployment(server.url))
    namespace.wait_for("CoderGroup", "platform", "Applied")


def test_another_namespace_needs_the_deployments_consent(
    control_plane: object, namespace: Namespace, server: CoderServer, operator: OperatorProcess, tmp_path: Path
) -> None:
    other = Namespace(namespace.plane)
    other.create()
    reference = {"name": "coder", "namespace": namespace.name}
    options = ("--namespace", namespace.name, "--namespace", other.name, "--lease-namespace", namespace.name)
    operator.stop()
    with OperatorProcess(namespace.plane.kubeconfig, tmp_path / "second.log", *options):
        namespace.apply(secret(token=server.token), deployment(server.url))
        other.apply(group("theirs", deploymentRef=reference))
        refused = other.wait_for("CoderGroup", "theirs", "NotAllowed")
        assert "spec.allowedNamespaces" in refused["message"]
        namespace.apply(deployment(server.url, allowedNamespaces=[other.name]))
        other.wait_for("CoderGroup", "theirs", "Applied")
    other.close()
    operator.start(wait=False)


def test_a_suspended_deployment_suspends_what_refers_to_it(
    namespace: Namespace, server: CoderServer, coder: CoderAPI
) -> None:
    namespace.apply(secret(token=server.token), deployment(server.url, suspend=True), group("platform"))
    namespace.wait_for("CoderDeployment", "coder", "Suspended")
    waits = namespace.wait_for("CoderGroup", "platform", "WaitingForDeployment")
    assert "suspend" in waits["message"]
    assert coder.find_group("platform") is None
    namespace.apply(deployment(server.url, suspend=False))
    namespace.wait_for("CoderGroup", "platform", "Applied")
