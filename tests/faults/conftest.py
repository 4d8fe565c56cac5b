"""Operators with a proxy in the middle, which does to requests what the tests tell it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fault_proxy import FaultProxy
from tests.support.front import Certificate
from tests.support.kubernetes import Namespace
from tests.support.manifests import deployment, secret
from tools.coder_api import CoderAPI
from tools.kubernetes.control_plane import ControlPlane
from tools.operator_process import OperatorProcess
from tools.server_process import CoderServer


@pytest.fixture(scope="module")
def space(control_plane: ControlPlane) -> Iterator[Namespace]:
    """Of all tests of the module, each of which has objects of its own."""
    found = Namespace(control_plane)
    found.create()
    yield found
    found.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faults")


@pytest.fixture(scope="module")
def real() -> Iterator[CoderServer]:
    with CoderServer(profile="codersdk") as process:
        yield process


@pytest.fixture(scope="module")
def people(real: CoderServer) -> Iterator[CoderAPI]:
    """The server as an owner sees it, without a proxy."""
    api = CoderAPI(real.url, real.token)
    api.create_user("ann")
    yield api
    api.close()


@pytest.fixture(scope="module")
def to_coder(real: CoderServer) -> Iterator[FaultProxy]:
    """Between operator and server."""
    with FaultProxy(real.url) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def to_kubernetes(control_plane: ControlPlane, folder: Path) -> Iterator[FaultProxy]:
    """Between operator and API server."""
    with FaultProxy(control_plane.url, Certificate(folder), control_plane.ca_file) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def between(
    space: Namespace, real: CoderServer, to_coder: FaultProxy, to_kubernetes: FaultProxy, folder: Path
) -> Iterator[OperatorProcess]:
    """An operator with a proxy on both sides, and a CoderDeployment that is Ready."""
    options = ("--namespace", space.name, "--lease-namespace", space.name)
    kubeconfig = to_kubernetes.kubeconfig(folder, space.plane.kubeconfig)
    with OperatorProcess(kubeconfig, folder / "operator.log", *options) as process:
        try:
            space.apply(secret(token=real.token), deployment(to_coder.url))
            space.wait_for("CoderDeployment", "coder", "Connected")
            yield process
        finally:
            print(process.text()[-8000:])


@pytest.fixture(autouse=True)
def healed(request: pytest.FixtureRequest) -> Iterator[None]:
    """No fault outlives its test."""
    yield
    for name in ("to_coder", "to_kubernetes"):
        if name in request.fixturenames:
            request.getfixturevalue(name).heal()
