"""The oldest Kubernetes installs the CRDs, accepts all examples, and refuses the same bad YAML by the same names."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.end_to_end.test_admission import *  # noqa: F403 - its tests, with the control plane of this folder
from tools.kubernetes.control_plane import ControlPlane
from tools.kubernetes.modules import OLDEST_KUBERNETES

ROOT = Path(__file__).parents[3]


def promised() -> str:
    """The version that the install page promises."""
    found = re.search(r"Kubernetes (1\.\d+) or newer", (ROOT / "docs" / "how-to" / "install.md").read_text())
    assert found
    return found[1]


def test_the_oldest_is_the_one_that_the_install_page_promises(oldest_plane: ControlPlane) -> None:
    server = json.loads(oldest_plane.kubectl("version", "-o", "json").stdout)["serverVersion"]
    assert server["gitVersion"] == OLDEST_KUBERNETES.version
    assert f"{server['major']}.{server['minor']}" == promised()
