"""Flux and Argo CD as they are: their own programs, on the control plane of the tests."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator

import pytest

from tests.gitops.artifacts import Artifacts
from tests.support import examples
from tools.kubernetes.binaries import locate
from tools.kubernetes.control_plane import ControlPlane
from tools.kubernetes.crds import locate_crds
from tools.processes import Process, free_ports
from tools.server_process import CoderServer

READY_TIMEOUT = 60.0


@pytest.fixture
def server() -> Iterator[CoderServer]:
    """As the examples need it."""
    with CoderServer(licensed=False, **examples.SETTINGS) as process:
        yield process


@pytest.fixture(scope="module")
def flux(control_plane: ControlPlane) -> Iterator[Process]:
    """Flux's kustomize-controller, with the CRDs of Flux."""
    program = locate(["kustomize-controller"])["kustomize-controller"]
    install_crds(control_plane, "kustomize-controller")
    health, metrics = (f"127.0.0.1:{port}" for port in free_ports(2))
    options = ["--feature-gates=ExternalArtifact=true", f"--health-addr={health}", f"--metrics-addr={metrics}"]
    environment = {"KUBECONFIG": str(control_plane.kubeconfig), "HOME": str(control_plane.folder)}
    log = control_plane.folder / "logs" / "kustomize-controller.log"
    process = Process("kustomize-controller", [str(program), *options], log, environment)
    try:
        process.wait_until(lambda: answers(f"http://{health}/readyz"), READY_TIMEOUT)
        yield process
        print(process.tail())
    finally:
        process.kill()


@pytest.fixture
def artifacts() -> Iterator[Artifacts]:
    """An empty server."""
    with Artifacts() as server:
        yield server


def install_crds(plane: ControlPlane, program: str) -> None:
    """Those that the program comes with."""
    manifests = [option for file in locate_crds(program) for option in ("-f", str(file))]
    plane.kubectl("apply", "--server-side", *manifests)
    plane.kubectl("wait", "--for=condition=Established", "--timeout=30s", *manifests)


def answers(url: str) -> bool:
    """With 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
