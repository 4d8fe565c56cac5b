"""What tests of a running operator share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.operated import Operated, operated
from tools.kubernetes.control_plane import ControlPlane
from tools.server_process import CoderServer


@pytest.fixture(scope="module")
def here(
    control_plane: ControlPlane, server: CoderServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Operated]:
    """An operator in a namespace of its own, for the server of the module."""
    with operated(control_plane, server, tmp_path_factory.mktemp("operator")) as found:
        yield found
