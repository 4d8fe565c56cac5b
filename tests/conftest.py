"""Fixtures for all tests, and the order in which they run.

Tests that need Kubernetes run last: what a cold cache lacks is built while the others run.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis.configuration import set_hypothesis_home_dir

from tests.support.kubernetes import Namespace
from tests.support.manifests import deployment, secret
from tools.coder_api import CoderAPI
from tools.kubernetes import binaries
from tools.kubernetes.control_plane import ControlPlane
from tools.operator_process import OperatorProcess
from tools.processes import Process
from tools.server_process import CoderServer

ROOT = Path(__file__).parents[1]
set_hypothesis_home_dir(ROOT / ".cache" / "hypothesis")
BUILD = pytest.StashKey[Process]()
FIRST = "gw0"


def pytest_sessionstart(session: pytest.Session) -> None:
    # looptime asks for the event loop before plain tests too: asyncio would make one, which nobody closes.
    asyncio.set_event_loop(None)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if "control_plane" in getattr(item, "fixturenames", ()):
            item.add_marker("cluster")
    items.sort(key=lambda item: item.get_closest_marker("cluster") is not None)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start building what the last tests will need; of several test processes, in the first."""
    if os.environ.get("PYTEST_XDIST_WORKER", FIRST) != FIRST:
        return
    needed = any(item.get_closest_marker("cluster") for item in session.items)
    if not needed or session.config.option.collectonly or len(binaries.find()) == len(binaries.GO_MODULES):
        return
    binaries.CACHE.mkdir(exist_ok=True)
    log = binaries.CACHE / "kubernetes-build.log"
    log.write_text("")
    command = [sys.executable, "-m", "tools.kubernetes", "build"]
    session.config.stash[BUILD] = Process("build of Kubernetes", command, log)
    print(f"Building Kubernetes in the background, once; its log is {log.relative_to(ROOT)}")


def pytest_unconfigure(config: pytest.Config) -> None:
    build = config.stash.get(BUILD, None)
    if build is not None:
        build.kill()


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """One real control plane for the whole run, with the CRDs."""
    with ControlPlane(audit_log=True) as plane:
        plane.kubectl("apply", "-f", str(ROOT / "crds"))
        plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        yield plane


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Iterator[Namespace]:
    """Empty, and this test's alone; what a test leaves behind stays until the control plane goes."""
    space = Namespace(control_plane)
    space.create()
    yield space
    space.close()


@pytest.fixture
def server() -> Iterator[CoderServer]:
    """A real API server with an owner."""
    with CoderServer() as process:
        yield process
        print(process.log.read_text()[-4000:])


@pytest.fixture
def coder(server: CoderServer) -> Iterator[CoderAPI]:
    """The server as an owner sees it."""
    api = CoderAPI(server.url, server.token)
    yield api
    api.close()


@pytest.fixture
def operator(namespace: Namespace, tmp_path: Path) -> Iterator[OperatorProcess]:
    """A real operator for the test's namespace."""
    options = ("--namespace", namespace.name, "--lease-namespace", namespace.name)
    with OperatorProcess(namespace.plane.kubeconfig, tmp_path / "operator.log", *options) as process:
        yield process
        print(process.text()[-8000:])


@pytest.fixture
def connected(namespace: Namespace, server: CoderServer, operator: OperatorProcess) -> Namespace:
    """The namespace with a CoderDeployment that is Ready."""
    namespace.apply(secret(token=server.token), deployment(server.url))
    namespace.wait_for("CoderDeployment", "coder", "Connected")
    return namespace
