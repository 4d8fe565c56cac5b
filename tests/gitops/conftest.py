"""Flux and Argo CD as they are: their own programs, on the control plane of the tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gitops.artifacts import Artifacts
from tests.gitops.programs import answers, install_crds
from tests.gitops.resource_overrides import ResourceOverrides
from tests.support import examples
from tools.kubernetes.binaries import locate
from tools.kubernetes.control_plane import ControlPlane
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
    options = [
        "--feature-gates=ExternalArtifact=true",
        "--requeue-dependency=1s",
        f"--health-addr={health}",
        f"--metrics-addr={metrics}",
    ]
    environment = {"KUBECONFIG": str(control_plane.kubeconfig), "HOME": str(control_plane.folder)}
    log = control_plane.folder / "logs" / "kustomize-controller.log"
    process = Process("kustomize-controller", [str(program), *options], log, environment)
    try:
        process.wait_until(lambda: answers(f"http://{health}/readyz"), READY_TIMEOUT)
        yield process
        print(process.tail())
    finally:
        process.kill()


@pytest.fixture(scope="module")
def overrides(argocd: Path, tmp_path_factory: pytest.TempPathFactory) -> ResourceOverrides:
    """Argo CD's program with our patch."""
    return ResourceOverrides(argocd, tmp_path_factory.mktemp("argocd"))


@pytest.fixture
def artifacts() -> Iterator[Artifacts]:
    """An empty server."""
    with Artifacts() as server:
        yield server
