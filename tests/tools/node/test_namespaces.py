"""Everything that a run starts ends with it, however it ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.waiting import wait_until
from tools.node import namespaces

PROGRAM = """
import subprocess, sys
from tools.node import namespaces
from tools.processes import launcher
script = f"setsid sleep {sys.argv[2]} & ip link show; exec sleep {sys.argv[2]}"
command = launcher(namespaces.command(["sh", "-c", script]))
subprocess.run(command, stdout=open(sys.argv[1], "w"), start_new_session=True)
"""


SECONDS = f"4711.{os.getpid()}"
"""By which these tests know their own `sleep`."""


def possible() -> bool:
    """Whether root may make namespaces here, and has what is needed."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "catatonit", "ip"))):
        return False
    command = namespaces.command(["true"])
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not possible(), reason="needs root, namespaces and catatonit")


@pytest.fixture
def run(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program with others in namespaces of its own, one of them in a session of its own too."""
    output = tmp_path / "output"
    with subprocess.Popen([sys.executable, "-c", PROGRAM, str(output), SECONDS]) as program:
        try:
            wait_until(lambda: len(sleepers()) == 2, "its processes run")
            yield program
        finally:
            program.kill()


def sleepers() -> list[str]:
    answer = subprocess.run(["ps", "-eww", "-o", "args"], capture_output=True, text=True, check=True)
    return [line for line in answer.stdout.splitlines() if line == f"sleep {SECONDS}"]


def test_nothing_outlives_a_run_that_is_killed(run: subprocess.Popen[bytes]) -> None:
    run.kill()
    wait_until(lambda: not sleepers(), "its processes have ended")


def test_a_signal_reaches_the_program_inside_and_all_end_with_it(run: subprocess.Popen[bytes]) -> None:
    (child,) = children(run.pid)
    os.killpg(child, signal.SIGTERM)
    run.wait(30)
    assert sleepers() == []


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_run_has_a_network_of_its_own(run: subprocess.Popen[bytes], tmp_path: Path) -> None:
    lines = (tmp_path / "output").read_text().splitlines()
    assert [line.split(": ")[1] for line in lines[::2]] == ["lo"]
