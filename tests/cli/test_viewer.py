"""The commands for somebody who may only look at our objects, in one namespace."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest
import yaml

from coder_enterprise.kinds.machinery.resource import GROUP
from tests.support.command import command, condition, put
from tests.support.kubernetes import Namespace
from tests.support.manifests import deployment, group, secret

VIEWER: Final = "viewer"


@pytest.fixture
def viewer(namespace: Namespace) -> Path:
    """The kubeconfig of a service account."""
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": VIEWER, "namespace": namespace.name}}
    rules = [{"apiGroups": [GROUP], "resources": ["*"], "verbs": ["get", "list", "watch"]}]
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": VIEWER}
    subjects = [{"kind": "ServiceAccount", "name": VIEWER, "namespace": namespace.name}]
    manifests = (
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": role["metadata"]},
        {**role, "kind": "Role", "rules": rules},
        {**role, "kind": "RoleBinding", "roleRef": reference, "subjects": subjects},
    )
    namespace.plane.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(manifests))
    namespace.apply(secret(token="hidden"), deployment("http://127.0.0.1:1"))
    put(namespace, group("platform"), condition("Ready", "True", "Applied"))
    return namespace.plane.service_account_kubeconfig(namespace.name, VIEWER)


def test_a_look_at_all_namespaces_is_refused_with_a_hint(viewer: Path) -> None:
    result = command("status", "--kubeconfig", str(viewer))
    (line,) = result.stderr.splitlines()
    assert (result.exit_code, "403" in line, "--namespace" in line) == (1, True, True)


def test_what_cannot_be_read_is_said_in_its_section_and_the_walk_goes_on(viewer: Path, namespace: Namespace) -> None:
    words = ("status", "codergroup/platform", "--kubeconfig", str(viewer), "--namespace", namespace.name)
    result = command(*words, "--output", "json")
    assert result.exit_code == 0, result.stderr
    sections = {section["kind"]: section for section in json.loads(result.stdout)["sections"]}
    assert list(sections) == ["CoderGroup", "CoderDeployment", "Secret", "Coder"]
    assert sections["CoderGroup"]["trouble"].startswith("its events cannot be read: 403")
    assert sections["CoderGroup"]["conditions"]
    assert sections["Secret"]["trouble"].startswith("cannot be read: 403")


def test_the_doctor_says_what_it_may_not_look_at(viewer: Path, namespace: Namespace) -> None:
    result = command("doctor", "--kubeconfig", str(viewer), "--namespace", namespace.name, "-o", "json")
    found = {(each["check"], each["level"]) for each in json.loads(result.stdout)["findings"]}
    assert {("CRDs", "warning"), ("operators", "warning"), ("your rights", "warning")} <= found


def test_an_act_that_is_forbidden_is_one_line(viewer: Path, namespace: Namespace) -> None:
    words = ("suspend", "codergroup/platform", "--kubeconfig", str(viewer), "--namespace", namespace.name)
    result = command(*words)
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
