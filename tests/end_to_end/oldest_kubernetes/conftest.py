"""Here the control plane is that of the oldest Kubernetes that the install page promises."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import existing_cluster
from tools.kubernetes.control_plane import ControlPlane

CRDS = Path(__file__).parents[3] / "crds"


@pytest.fixture(scope="session")
def oldest_plane() -> Iterator[ControlPlane]:
    """Its API server, with the CRDs."""
    if existing_cluster.is_named():
        pytest.skip("the tests are run in a Kubernetes of somebody else's choice")
    with ControlPlane(oldest=True) as plane:
        plane.kubectl("apply", "-f", str(CRDS))
        plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        yield plane


@pytest.fixture(scope="session")
def control_plane(oldest_plane: ControlPlane) -> ControlPlane:
    """In place of the newest."""
    return oldest_plane
