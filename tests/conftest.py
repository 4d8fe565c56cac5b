"""Fixtures for all tests, and the order in which they run.

Tests that need Kubernetes and its programs run last: what a cold cache lacks is built while the others run.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
import pytest_asyncio.plugin
import structlog
import typer.testing
from hypothesis.configuration import set_hypothesis_home_dir
from looptime._internal import plugin as looptime

from tests.support import existing_cluster
from tests.support.browser import Visitor, launched, visiting
from tests.support.existing_cluster import ExistingCluster
from tests.support.forkserver import ForkServer
from tests.support.kubelet.container import compromises
from tests.support.kubernetes import Namespace
from tests.support.manifests import deployment, secret
from tests.support.migrated import write_migrated
from tools.coder_api import CoderAPI
from tools.kubernetes import binaries
from tools.kubernetes.control_plane import ControlPlane
from tools.kubernetes.modules import CONTROL_PLANE, MODULE_OF, NODES, OLDEST_CONTROL_PLANE
from tools.operator_process import OperatorProcess
from tools.processes import Process, start_anew
from tools.server_process import CoderServer

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytest_plugins = ["tests.support.slowest"]

# A shell ignores Ctrl-C for what it runs in the background, and all that a test starts would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Typer makes all commands with their options anew each time that a test runs one.
typer.testing._get_command = functools.cache(typer.testing._get_command)  # type: ignore[attr-defined]

ROOT = Path(__file__).parents[1]
set_hypothesis_home_dir(ROOT / ".cache" / "hypothesis")
BUILD = pytest.StashKey[Process]()
FIRST = "gw0"
PROGRAMS = {
    "control_plane": ("kubectl",) if existing_cluster.is_named() else CONTROL_PLANE,
    "oldest_plane": OLDEST_CONTROL_PLANE,
    "nodes": NODES,
    "helm": ("helm",),
    "kubeconform": ("kubeconform",),
    "promtool": ("promtool",),
    "flux": ("kustomize-controller",),
    "argocd": ("helm", "redis", "argocd"),
}
"""What the fixtures of these names need."""


def pytest_report_header(config: pytest.Config) -> list[str]:
    """What is less real here than elsewhere."""
    return compromises()


def pytest_sessionstart(session: pytest.Session) -> None:
    looptime._should_patch = _makes_a_loop
    # looptime asks for the event loop before plain tests too: asyncio would make one, which nobody closes.
    asyncio.set_event_loop(None)
    # Without the values of variables: a token may be among them.
    renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], renderer])


def _makes_a_loop(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> bool:
    # looptime looks through all of pytest-asyncio to tell, for each fixture of each test: a millisecond that is spent
    # fifty thousand times.
    return fixturedef.func.__module__ == pytest_asyncio.plugin.__name__


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--shuffle",
        type=int,
        metavar="SEED",
        help="modules, and the tests of each, in another order",
    )
    parser.addoption("--nightly", action="store_true", help="also the tests that each change has no time for")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """All that is imported and collected stays until the end; to look through it for garbage takes as long again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("nightly"):
        late = [item for item in items if item.get_closest_marker("nightly")]
        items[:] = [item for item in items if item not in late]
        config.hook.pytest_deselected(items=late)
    seed: int | None = config.getoption("shuffle")
    if seed is not None:
        items[:] = _shuffled(items, random.Random(seed))
    for item in items:
        if _programs(item):
            item.add_marker("cluster")
    order = list(MODULE_OF)
    items.sort(key=lambda item: max((order.index(program) + 1 for program in _programs(item)), default=0))


def _shuffled(items: Sequence[pytest.Item], chance: random.Random) -> list[pytest.Item]:
    """Tests of one module stay together, for its fixtures are made once."""
    modules: dict[Path, list[pytest.Item]] = {}
    for item in items:
        modules.setdefault(item.path, []).append(item)
    groups = list(modules.values())
    for group in (groups, *groups):
        chance.shuffle(group)  # type: ignore[arg-type]
    return [item for group in groups for item in group]


def _programs(item: pytest.Item) -> set[str]:
    fixtures: Sequence[str] = getattr(item, "fixturenames", ())
    return {program for fixture in fixtures for program in PROGRAMS.get(fixture, ())}


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start building what the last tests will need; of several test processes, in the first."""
    if os.environ.get("PYTEST_XDIST_WORKER", FIRST) != FIRST or session.config.option.collectonly:
        return
    needed = set().union(*map(_programs, session.items))
    missing = [program for program in MODULE_OF if program in needed - set(binaries.find(list(needed)))]
    if not missing:
        return
    binaries.CACHE.mkdir(exist_ok=True)
    log = binaries.CACHE / "kubernetes-build.log"
    log.write_text("")
    command = [sys.executable, "-m", "tools.kubernetes", "build", *missing]
    session.config.stash[BUILD] = Process("build of programs", command, log)
    print(f"Building {', '.join(missing)} in the background, once; the log is {log.relative_to(ROOT)}")


def pytest_unconfigure(config: pytest.Config) -> None:
    build = config.stash.get(BUILD, None)
    if build is not None:
        build.kill()


@pytest.fixture(scope="session", autouse=True)
def forkserver() -> Iterator[None]:
    """Our programs start without waiting for their imports, and the server without migrating its database."""
    server = ForkServer()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Process, "starter", server.start)
        patch.setattr(CoderServer, "furnish", write_migrated)
        yield
    server.close()


@pytest.fixture(scope="module")
def started_anew(forkserver: None) -> Iterator[None]:
    """But for those of this module, whose subject is what a process is from its first moment on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Process, "starter", start_anew)
        patch.setattr(CoderServer, "furnish", lambda path: None)
        yield


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """One real control plane for the whole run, with the CRDs."""
    with ExistingCluster() if existing_cluster.is_named() else ControlPlane(audit_log=True) as plane:
        plane.kubectl("apply", "-f", str(ROOT / "crds"))
        plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        yield plane


@pytest.fixture(scope="session")
def helm() -> Path:
    """The program."""
    return binaries.locate(["helm"])["helm"]


@pytest.fixture(scope="session")
def kubeconform() -> Path:
    """The program."""
    return binaries.locate(["kubeconform"])["kubeconform"]


@pytest.fixture(scope="session")
def promtool() -> Path:
    """The program."""
    return binaries.locate(["promtool"])["promtool"]


@pytest.fixture(scope="session")
def argocd() -> Path:
    """The program."""
    return binaries.locate(["argocd"])["argocd"]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium; without it the test is skipped. Tests that ask for it share an event loop."""
    async with launched() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(browser: Browser) -> AsyncIterator[Visitor]:
    """Somebody who looks; at the end the page has had nothing to complain of."""
    async with visiting(browser) as visitor:
        yield visitor
        assert visitor.unexpected() == []


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Iterator[Namespace]:
    """Empty, and this test's alone; what a test leaves behind stays until the control plane goes."""
    space = Namespace(control_plane)
    space.create()
    yield space
    space.close()


@pytest.fixture
def nodes(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """The control plane, with nodes for this test: others say themselves what their pods do."""
    control_plane.add_nodes()
    yield control_plane
    control_plane.remove_nodes()


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
