"""The tutorial, followed to the letter: every command but those that start a Kubernetes, in the order of the page."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support import existing_cluster
from tests.support.existing_cluster import ExistingCluster
from tools.kubernetes import binaries
from tools.kubernetes.control_plane import ControlPlane
from tools.pages import TUTORIAL, sections
from tools.processes import free_ports

pytestmark = pytest.mark.cluster

CRDS: Final = Path(__file__).parents[2] / "crds"
PORTS: Final = ("3000", "8081", "8082")
"""That the page uses, and other tests may too."""


@pytest.fixture
def control_plane() -> Iterator[ControlPlane]:
    """This test's alone, as the reader's is: `doctor` looks at all that there is, what other tests left included."""
    with ExistingCluster() if existing_cluster.is_named() else ControlPlane() as plane:
        yield plane


def follow(folder: Path, plane: ControlPlane, text: str) -> str:
    """Runs it in bash, which ends at the first command that fails; what it prints."""
    kubeconfig = shutil.copyfile(plane.kubeconfig, folder / "kubeconfig")
    kubectl = binaries.locate(["kubectl"])["kubectl"].parent
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{kubectl}:{os.environ['PATH']}",
        "HOME": str(folder),
        "KUBECONFIG": str(kubeconfig),
    }
    bash = ["bash", "-euo", "pipefail", "-c", text]
    with subprocess.Popen(
        bash,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as shell:
        try:
            output, _ = shell.communicate(timeout=180)
        finally:
            if shell.poll() != 0:
                os.killpg(shell.pid, signal.SIGKILL)  # what it left in the background
    print(output, *((folder / name).read_text() for name in ("server.log", "operator.log")), sep="\n")
    assert shell.returncode == 0
    return output


def test_the_tutorial(control_plane: ControlPlane, tmp_path: Path) -> None:
    shutil.copytree(CRDS, tmp_path / "crds")
    blocks = [block for title, blocks in sections(TUTORIAL).items() if title != "A Kubernetes" for block in blocks]
    text = "\n".join(blocks)
    for port, free in zip(PORTS, free_ports(len(PORTS)), strict=True):
        text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{free}")
    output = follow(tmp_path, control_plane, text)
    assert "Plan: 2 to create" in output
    assert re.search(r"codergroup\S*/platform +True +PendingMembers +\S+ +1", output)
    assert "quotaAllowance: 5 -> 40" in output
    assert "DriftCorrected" in output
    assert "Plan: 0 to create, 0 to change, 0 to delete, 0 waiting, 2 unchanged" in output
