"""What the tests of the chart share: Helm, and a control plane of their own, whose CRDs come and go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.storage.conftest import empty_url, postgresql  # noqa: F401 - fixtures
from tests.support.helm import Helm
from tests.support.kubelet import Kubelet
from tests.support.kubernetes import Namespace
from tools.kubernetes.control_plane import ControlPlane


@pytest.fixture(scope="session")
def offline(helm: Path, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Helm without a cluster."""
    return Helm(helm, tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def bare_plane() -> Iterator[ControlPlane]:
    """A control plane without our kinds, until a test installs them."""
    with ControlPlane(audit_log=True) as plane:
        yield plane


@pytest.fixture(scope="session")
def helmed(helm: Path, bare_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Helm for that cluster."""
    return Helm(helm, tmp_path_factory.mktemp("helm-home"), bare_plane)


@pytest.fixture
def space(bare_plane: ControlPlane) -> Iterator[Namespace]:
    """An empty namespace there, which takes only pods that are restricted."""
    namespace = Namespace(bare_plane)
    namespace.create()
    bare_plane.kubectl("label", "namespace", namespace.name, "pod-security.kubernetes.io/enforce=restricted")
    yield namespace
    namespace.close()


@pytest.fixture
def kubelet(bare_plane: ControlPlane, space: Namespace, tmp_path: Path) -> Iterator[Kubelet]:
    """Runs the pods of that namespace."""
    with Kubelet(bare_plane, space.name, tmp_path / "pods") as running:
        yield running
        for component in ("operator", "server", "uninstall"):
            print(component, running.logs(component)[-4000:], sep="\n")
