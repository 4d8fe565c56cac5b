"""`kubectl coder …` is the same program, and kubectl completes it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.kubernetes.binaries import locate
from tools.kubernetes.control_plane import ControlPlane


def kubectl(plane: ControlPlane, *words: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "KUBECONFIG": str(plane.kubeconfig)}
    program = str(locate(["kubectl"])["kubectl"])
    return subprocess.run([program, *words], env=environment, capture_output=True, text=True, check=False)


def test_kubectl_runs_it_with_its_own_kubeconfig(control_plane: ControlPlane) -> None:
    result = kubectl(control_plane, "coder", "status", "nothing/x")
    assert result.returncode == 1
    assert result.stderr.startswith("kubectl coder status: there is no kind nothing (there are coderappearance")


@pytest.mark.parametrize(
    ("words", "offered"),
    [(["reco"], "reconcile"), (["suspend", "codergr"], "codergroup/"), (["get", "-o", "w"], "wide")],
)
def test_kubectl_completes_it(control_plane: ControlPlane, words: list[str], offered: str) -> None:
    assert kubectl(control_plane, "__complete", "coder", *words).stdout.splitlines()[0] == offered
