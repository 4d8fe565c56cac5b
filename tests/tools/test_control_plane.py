"""The local control plane: RBAC is on, and nothing of it stays behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.kubernetes import Body, Namespace
from tests.support.waiting import wait_until
from tools import folders
from tools.kubernetes.control_plane import ControlPlane
from tools.kubernetes.nodes import SELECTOR

PROGRAM = """
import signal
from tools.kubernetes.control_plane import ControlPlane
signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored where tests run in the background
with ControlPlane() as plane:
    plane.add_nodes()
    print(plane.folder, flush=True)
    signal.pause()
"""


@pytest.fixture
def running(nodes: ControlPlane) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A program with a control plane and nodes of its own, and that one's folder."""
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as program:
        assert program.stdout is not None
        try:
            yield program, Path(program.stdout.readline().strip())
        finally:
            program.kill()


def listeners(folder: Path, *names: str) -> list[str]:
    """Processes that were started for that folder, or those of these names alone."""
    answer = subprocess.run(["ps", "-eww", "-o", "args"], capture_output=True, text=True, check=True)
    lines = [line for line in answer.stdout.splitlines() if str(folder) in line]
    return [line for line in lines if not names or any(f"/{name} " in line for name in names)]


def test_ctrl_c_leaves_nothing_behind(running: tuple[subprocess.Popen[str], Path]) -> None:
    program, folder = running
    assert len(listeners(folder)) == 5
    program.send_signal(signal.SIGINT)
    program.wait(30)
    wait_until(lambda: not listeners(folder), "its processes have ended")
    assert not folder.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_after_a_crash_the_next_start_removes_what_is_left(running: tuple[subprocess.Popen[str], Path]) -> None:
    program, folder = running
    program.kill()
    program.wait(30)
    wait_until(lambda: not listeners(folder), "its processes have ended")
    assert folder.exists()
    folders.remove(folders.make("next"))
    assert not folder.exists()


def test_rbac_is_on(control_plane: ControlPlane) -> None:
    kubeconfig = control_plane.service_account_kubeconfig("default", "default")
    answer = control_plane.kubectl("auth", "can-i", "list", "secrets", "--kubeconfig", str(kubeconfig), check=False)
    assert answer.stdout.strip() == "no"


def pods(**spec: Any) -> Body:
    """A template."""
    container = {"name": "main", "image": "example.com/not-there"}
    return {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [container], **spec}}


def create(namespace: Namespace, api: str, kind: str, **spec: Any) -> None:
    body = {"apiVersion": api, "kind": kind, "metadata": {"name": "x"}, "spec": spec}
    namespace.plane.kubectl("create", "-n", namespace.name, "-f", "-", input=json.dumps(body))


def test_a_deployment_becomes_ready_on_the_nodes(nodes: ControlPlane, namespace: Namespace) -> None:
    selector = {"matchLabels": {"app": "x"}}
    create(namespace, "apps/v1", "Deployment", replicas=2, selector=selector, template=pods())
    nodes.kubectl("rollout", "status", "deployment/x", "-n", namespace.name, "--timeout=30s")


def test_a_job_completes_on_the_nodes(nodes: ControlPlane, namespace: Namespace) -> None:
    create(namespace, "batch/v1", "Job", template=pods(restartPolicy="Never"))
    nodes.kubectl("wait", "--for=condition=Complete", "job/x", "-n", namespace.name, "--timeout=30s")


def test_a_pod_that_is_deleted_is_gone(nodes: ControlPlane, namespace: Namespace) -> None:
    create(namespace, "v1", "Pod", **pods()["spec"])
    nodes.kubectl("wait", "--for=condition=Ready", "pod/x", "-n", namespace.name, "--timeout=30s")
    nodes.kubectl("delete", "pod/x", "-n", namespace.name, "--timeout=30s")


def test_when_the_nodes_are_removed_nobody_places_pods_any_more(nodes: ControlPlane) -> None:
    assert len(listeners(nodes.folder, "kube-scheduler", "kwok")) == 2
    nodes.remove_nodes()
    assert nodes.get("nodes", "--selector", SELECTOR)["items"] == []
    assert listeners(nodes.folder, "kube-scheduler", "kwok") == []
