"""The operator under its service account: the committed rules are enough, and no more than enough."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from coder_enterprise.client.concurrency import end
from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.kubeconfig import configuration
from coder_enterprise.cluster.marks import CLAIMS
from coder_enterprise.cluster.rules import lease_rules
from coder_enterprise.controller.claims import Claims
from tests.support.faults import fault
from tests.support.kubernetes import Namespace
from tests.support.manifests import deployment, group, members, proxy, secret, workload
from tests.support.waiting import wait_until
from tools.coder_api import CoderAPI
from tools.generate.rbac import NAME, NAMESPACE
from tools.operator_process import OperatorProcess
from tools.server_process import CoderServer

RBAC: Final = "rbac.authorization.k8s.io"
RULES: Final = Path(__file__).parents[2] / "deploy" / "overlays"


def user(namespace: Namespace) -> str:
    return f"system:serviceaccount:{namespace.name}:{NAME}"


def requests(namespace: Namespace) -> list[dict[str, Any]]:
    """All that the service account has asked of the API server, from the audit log."""
    lines = namespace.plane.audit_log.read_text().splitlines()
    return [entry for entry in map(json.loads, lines) if entry["user"].get("username") == user(namespace)]


@pytest.fixture(params=["cluster-wide", "namespaced"])
def scope(request: pytest.FixtureRequest, namespace: Namespace) -> Iterator[str]:
    """With the committed rules, made for the namespace of the test."""
    manifest = (RULES / request.param / "rbac.yaml").read_text().replace(f"namespace: {NAMESPACE}\n", "namespace: x\n")
    manifest = manifest.replace("namespace: x\n", f"namespace: {namespace.name}\n")
    namespace.plane.kubectl("apply", "-f", "-", input=manifest)
    yield request.param
    namespace.plane.kubectl("delete", "-f", "-", input=manifest)


@pytest.fixture
def restricted(scope: str, namespace: Namespace, tmp_path: Path) -> Iterator[OperatorProcess]:
    kubeconfig = namespace.plane.service_account_kubeconfig(namespace.name, NAME)
    options = ["--lease-namespace", namespace.name]
    options += ["--namespace", namespace.name] if scope == "namespaced" else []
    with OperatorProcess(kubeconfig, tmp_path / "operator.log", *options) as process:
        yield process
        print(process.text()[-8000:])


def test_the_rules_are_enough_for_a_whole_life(
    restricted: OperatorProcess, scope: str, namespace: Namespace, server: CoderServer, coder: CoderAPI
) -> None:
    coder.create_user("ann")
    namespace.apply(group("platform", members=members("ann")), deployment(server.url))
    namespace.wait_for("CoderDeployment", "coder", "SecretNotFound")
    namespace.apply(secret(token=server.token))
    namespace.wait_for("CoderGroup", "platform", "Applied")
    namespace.apply(group("platform", displayName="Two", members=members("ann")))
    namespace.wait_for("CoderGroup", "platform", "Applied")
    namespace.apply(proxy("eu", workload=workload()))
    wait_until(lambda: namespace.find("Deployment", "eu-wsproxy"), "the proxy has its workload")
    namespace.patch("CoderWorkspaceProxy", "eu", {"spec": {"workload": None}})
    namespace.wait_until_gone("Deployment", "eu-wsproxy")
    for kind, name in (("CoderWorkspaceProxy", "eu"), ("CoderGroup", "platform")):
        namespace.delete(kind, name)
        namespace.wait_until_gone(kind, name)
    namespace.wait_for_event("coder", "Connected")
    namespace.delete("CoderDeployment", "coder")
    own = f"{namespace.name}/coder"
    wait_until(lambda: own not in str(namespace.all("Lease")), "the Lease of the deployment is gone")
    assert restricted.stop() == 0
    assert [body["spec"] for body in namespace.all("Lease") if body["spec"]["holderIdentity"]] == []
    assert "orbidden" not in restricted.text()
    asked = requests(namespace)
    assert [entry for entry in asked if entry["responseStatus"]["code"] == 403] == []
    assert {"list", "watch", "patch"} <= {entry["verb"] for entry in asked}
    if scope == "namespaced":
        outside = {entry["requestURI"] for entry in asked if entry.get("objectRef", {}).get("resource")}
        assert [uri for uri in outside if f"/namespaces/{namespace.name}/" not in uri] == []


@pytest.mark.usefixtures("scope")
def test_nothing_is_granted_as_a_whole(namespace: Namespace) -> None:
    listed = namespace.plane.kubectl("auth", "can-i", "--list", f"--as={user(namespace)}", "-n", namespace.name).stdout
    rows = [line for line in listed.splitlines() if not line.startswith(" ")]  # what is indented are paths of discovery
    assert any(row.startswith("secrets ") for row in rows)
    assert [row for row in rows if "*" in row] == []


def test_an_operator_for_some_namespaces_may_do_nothing_elsewhere(scope: str, namespace: Namespace) -> None:
    for what in ("secrets", "codergroups.enterprise.coder.com", "deployments.apps", "namespaces/default"):
        answer = namespace.plane.kubectl(
            "auth", "can-i", "get", what, "-n", "default", f"--as={user(namespace)}", check=False
        )
        assert answer.stdout.strip() == ("yes" if scope == "cluster-wide" else "no")


@pytest.mark.usefixtures("scope")
def test_the_labels_of_a_watched_namespace_may_be_read(namespace: Namespace) -> None:
    url = f"/api/v1/namespaces/{namespace.name}"
    body = namespace.plane.kubectl("get", "--raw", url, f"--as={user(namespace)}").stdout
    assert json.loads(body)["metadata"]["labels"]["kubernetes.io/metadata.name"] == namespace.name


@pytest.mark.parametrize("name", ["cluster-wide", "namespaced"])
def test_the_manifests_have_no_wildcard_and_only_the_one_for_all_a_cluster_role(name: str) -> None:
    text = (RULES / name / "rbac.yaml").read_text()
    documents = list(yaml.safe_load_all(text))
    assert not re.search(r"['\"]?\*['\"]?$", text, re.MULTILINE)
    assert any(body["kind"] == "ClusterRole" for body in documents) is (name == "cluster-wide")


@fault(
    name="right missing at the start",
    injected="The service account may not read one kind, and later it may.",
    verdict="The right is named in the log, other kinds go on, and the kind is watched when the right is there.",
)
def test_a_missing_right_is_named_stops_its_kind_alone_and_is_looked_for_again(
    namespace: Namespace, server: CoderServer, tmp_path: Path
) -> None:
    rules = (RULES / "namespaced" / "rbac.yaml").read_text().replace(f"namespace: {NAMESPACE}\n", "namespace: x\n")
    rules = rules.replace("namespace: x\n", f"namespace: {namespace.name}\n")
    namespace.plane.kubectl("apply", "-f", "-", input=rules.replace("- coderusers\n", "- nothing\n"))
    kubeconfig = namespace.plane.service_account_kubeconfig(namespace.name, NAME)
    options = ["--lease-namespace", namespace.name, "--namespace", namespace.name]
    with OperatorProcess(kubeconfig, tmp_path / "operator.log", *options) as operator:
        namespace.apply(deployment(server.url), secret(token=server.token), group("platform"))
        namespace.wait_for("CoderGroup", "platform", "Applied")
        named = "get, list and watch coderusers.enterprise.coder.com"
        wait_until(lambda: named in operator.text(), "the missing right is named")
        namespace.plane.kubectl("apply", "-f", "-", input=rules)
        wait_until(lambda: "watched again" in operator.text(), "it is watched", timeout=60)
        assert operator.stop() == 0


async def test_the_rules_beside_the_leases_are_enough_to_keep_the_key_of_claims(namespace: Namespace) -> None:
    """Where the operator watches other namespaces alone: it may list and watch that Secret by its name."""
    role = {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": {"name": "leases"}, "rules": lease_rules()}
    namespace.plane.kubectl("create", "-n", namespace.name, "-f", "-", input=json.dumps(role))
    namespace.plane.kubectl("create", "serviceaccount", NAME, "-n", namespace.name)
    bound = ["--role=leases", f"--serviceaccount={namespace.name}:{NAME}", "-n", namespace.name]
    namespace.plane.kubectl("create", "rolebinding", "leases", *bound)
    claims = Claims()
    async with KubernetesClient(
        await configuration(namespace.plane.service_account_kubeconfig(namespace.name, NAME))
    ) as client:
        await claims.load(client, namespace.name)
        key = await asyncio.to_thread(namespace.secret, CLAIMS)
        keeping = asyncio.create_task(claims.keep(client, namespace.name))
        await asyncio.to_thread(namespace.delete, "Secret", CLAIMS)
        await asyncio.to_thread(wait_until, lambda: namespace.secret(CLAIMS) == key, "it is there again")
        await end([keeping])
