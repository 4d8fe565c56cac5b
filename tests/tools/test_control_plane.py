"""The local control plane: RBAC is on, and nothing of it stays behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.waiting import wait_until
from tools.kubernetes.control_plane import PREFIX, ControlPlane
from tools.kubernetes.control_plane import _remove_left_behind as remove_left_behind

PROGRAM = """
import signal
from tools.kubernetes.control_plane import ControlPlane
signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored where tests run in the background
with ControlPlane() as plane:
    print(plane.folder, flush=True)
    signal.pause()
"""


@pytest.fixture
def running(control_plane: ControlPlane) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A program with a control plane of its own, and that one's folder."""
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as program:
        assert program.stdout is not None
        try:
            yield program, Path(program.stdout.readline().strip())
        finally:
            program.kill()


def listeners(folder: Path) -> list[str]:
    """Processes that were started for that folder."""
    answer = subprocess.run(["ps", "-eww", "-o", "args"], capture_output=True, text=True, check=True)
    return [line for line in answer.stdout.splitlines() if str(folder) in line]


def test_ctrl_c_leaves_nothing_behind(running: tuple[subprocess.Popen[str], Path]) -> None:
    program, folder = running
    assert len(listeners(folder)) == 3
    program.send_signal(signal.SIGINT)
    program.wait(30)
    wait_until(lambda: not listeners(folder), "its processes have ended")
    assert not folder.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_after_a_crash_the_next_start_removes_what_is_left(running: tuple[subprocess.Popen[str], Path]) -> None:
    program, folder = running
    program.kill()
    program.wait(30)
    wait_until(lambda: not listeners(folder), "its processes have ended")
    assert folder.exists()
    remove_left_behind()
    assert not folder.exists()


def test_the_folder_of_a_run_that_lives_is_not_removed(control_plane: ControlPlane) -> None:
    remove_left_behind()
    assert control_plane.folder.is_dir()
    assert control_plane.folder.parent == Path(tempfile.gettempdir())
    assert control_plane.folder.name.startswith(PREFIX)


def test_rbac_is_on(control_plane: ControlPlane) -> None:
    kubeconfig = control_plane.service_account_kubeconfig("default", "default")
    answer = control_plane.kubectl("auth", "can-i", "list", "secrets", "--kubeconfig", str(kubeconfig), check=False)
    assert answer.stdout.strip() == "no"
