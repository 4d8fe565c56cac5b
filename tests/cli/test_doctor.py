"""`coder-enterprise doctor` on a real cluster and a real Coder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from coder_enterprise.cluster.rules import lease_rules, operator_rules
from tests.support.command import command, in_cluster
from tests.support.kubernetes import Namespace
from tests.support.manifests import Body, appearance, deployment, group, secret
from tools.coder_api import CoderAPI
from tools.processes import free_ports
from tools.server_process import CoderServer


def findings(namespace: Namespace, *words: str) -> tuple[int, list[dict[str, Any]]]:
    result = in_cluster(namespace, "doctor", "--output", "json", *words)
    assert result.stdout, result.stderr
    said = json.loads(result.stdout)
    assert said["version"] == 1
    return result.exit_code, said["findings"]


def levels(found: list[dict[str, Any]], subject: str) -> dict[str, str]:
    return {each["check"]: each["level"] for each in found if each["subject"] == subject}


def test_a_cluster_that_is_well_has_no_failure_and_shows_no_token(connected: Namespace, server: CoderServer) -> None:
    connected.apply(group("platform"))
    code, found = findings(connected)
    assert code == 0, found
    seen = levels(found, f"{connected.name}/coder")
    assert {seen[check] for check in ("DNS", "clock", "Reachable", "Authenticated", "version", "rights")} == {"ok"}
    assert seen["licence"] == "ok"
    assert levels(found, "cluster")["CRDs"] == "ok"
    assert server.token not in json.dumps(found)


def test_a_coder_that_does_not_answer_is_a_failure_with_the_next_step(namespace: Namespace) -> None:
    namespace.apply(secret(token="any"), deployment(f"http://127.0.0.1:{free_ports(1)[0]}"))
    code, found = findings(namespace)
    assert code == 3
    failed = [each for each in found if each["level"] == "failure" and each["subject"] != "cluster"]
    assert {each["check"] for each in failed} == {"connection", "Reachable"}
    assert all(each["nextStep"] for each in failed)


def test_a_secret_that_is_missing_or_not_marked_is_said(namespace: Namespace) -> None:
    namespace.apply(deployment("http://127.0.0.1:1"))
    code, found = findings(namespace)
    (failed,) = [each for each in found if each["check"] == "Secret"]
    assert (code, failed["level"]) == (3, "failure")
    namespace.apply(secret(token="any", watched=False))
    (failed,) = [each for each in findings(namespace)[1] if each["check"] == "Secret"]
    assert "not marked" in failed["message"]


def test_rights_that_the_token_has_not_are_told_for_each_declared_kind(
    namespace: Namespace, server: CoderServer, coder: CoderAPI
) -> None:
    ann = coder.create_user("ann")
    coder.set_roles(ann["id"], "user-admin")
    looks = appearance(applicationName="Acme")
    namespace.apply(secret(token=coder.create_token("ann")), deployment(server.url), group("platform"), looks)
    _, found = findings(namespace)
    (lacking,) = [each for each in found if each["check"] == "rights"]
    assert lacking["level"] == "warning"
    assert "CoderAppearance may be refused: the token may not update deployment_config" in lacking["message"]


@pytest.fixture
def operators(namespace: Namespace) -> Iterator[Namespace]:
    """Where Deployments of operators may be left: whoever looks at the whole cluster would see them."""
    yield namespace
    for each in namespace.all("Deployment"):
        namespace.delete("Deployment", each["metadata"]["name"])


def operator_deployment(account: str, *arguments: str) -> Body:
    labels = {"app.kubernetes.io/component": "operator", "of": account}
    container = {"name": "operator", "image": "example.com/x", "args": ["operator", *arguments]}
    pod = {"metadata": {"labels": labels}, "spec": {"serviceAccountName": account, "containers": [container]}}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": pod}
    metadata = {"name": account, "labels": labels}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def of_operators(namespace: Namespace, name: str) -> list[dict[str, Any]]:
    _, found = findings(namespace)
    account = f"service account {namespace.name}/{name} "
    return [each for each in found if each["check"] == "operator's rights" and account in each["message"]]


def test_what_the_operator_s_service_account_lacks_is_a_failure(operators: Namespace) -> None:
    operators.apply(operator_deployment("helpless", f"--namespace={operators.name}"))
    (watched,) = of_operators(operators, "helpless")
    assert watched["level"] == "failure"
    assert "patch codergroups/status.enterprise.coder.com" in watched["message"]
    assert "create leases.coordination.k8s.io" in watched["message"]


def test_a_service_account_with_the_roles_of_this_version_lacks_nothing(operators: Namespace) -> None:
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "operator"}}
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "operator"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "operator"},
        "subjects": [{"kind": "ServiceAccount", "name": "able", "namespace": operators.name}],
    }
    rules = [*operator_rules(), *lease_rules()]
    operators.apply({**role, "rules": rules}, binding, operator_deployment("able", f"--namespace={operators.name}"))
    assert [each["level"] for each in of_operators(operators, "able")] == ["ok"]


def test_before_an_installation_only_the_cluster_and_your_rights_are_looked_at(namespace: Namespace) -> None:
    code, found = findings(namespace, "--before-install")
    assert code == 0
    assert {each["check"] for each in found} == {"version", "your rights", "CRDs"}


def test_the_screen_ends_with_what_to_do_and_a_count(namespace: Namespace) -> None:
    namespace.apply(deployment("http://127.0.0.1:1"))
    lines = in_cluster(namespace, "doctor").stdout.splitlines()
    assert any(line.startswith("CHECK") and "WHAT TO DO" in line for line in lines)
    assert lines[-1].endswith("to repair")


def narrow(namespace: Namespace, folder: Path, *rules: Body) -> list[str]:
    """The options with which somebody who has these rights in the namespace alone runs a command."""
    group = "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", "name": "narrow", "namespace": namespace.name}
    role = {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": {"name": "narrow"}, "rules": list(rules)}
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "narrow"},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "narrow"},
        "subjects": [subject],
    }
    namespace.apply(role, binding)
    namespace.plane.kubectl("create", "serviceaccount", "narrow", "-n", namespace.name)
    token = namespace.plane.kubectl("create", "token", "narrow", "-n", namespace.name).stdout.strip()
    config = yaml.safe_load(namespace.plane.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(config))
    return ["--kubeconfig", str(file)]


def test_objects_that_you_may_not_list_are_a_finding_beside_all_others(namespace: Namespace, tmp_path: Path) -> None:
    result = command("doctor", "--output", "json", *narrow(namespace, tmp_path))
    assert result.stdout, result.stderr
    found = json.loads(result.stdout)["findings"]
    (objects,) = [each for each in found if each["check"] == "objects"]
    assert (result.exit_code, objects["level"]) == (3, "failure")
    assert "CoderDeployment" in objects["message"]
    assert "--namespace" in objects["nextStep"]
    assert {"CRDs", "operators", "your rights"} <= {each["check"] for each in found}


def test_a_secret_that_you_may_not_read_is_no_fault_of_the_operator(namespace: Namespace, tmp_path: Path) -> None:
    namespace.apply(secret(token="any"), deployment("http://127.0.0.1:1"))
    rule = {"apiGroups": ["enterprise.coder.com"], "resources": ["*"], "verbs": ["get", "list"]}
    options = narrow(namespace, tmp_path, rule)
    result = command("doctor", "--output", "json", *options, "--namespace", namespace.name)
    (said,) = [each for each in json.loads(result.stdout)["findings"] if each["check"] == "Secret"]
    assert (result.exit_code, said["level"]) == (0, "warning")
    assert said["message"].startswith("you may not read")
