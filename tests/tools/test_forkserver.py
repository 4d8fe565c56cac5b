"""A program that is forked behaves as one that was started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coder_enterprise import __version__
from tests.support.forkserver import ForkServer
from tests.support.waiting import wait_until
from tools.processes import Process, start_anew

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forked are they only where there is a pidfd")

Run = Callable[..., Process]


@pytest.fixture(scope="module")
def forks() -> Iterator[ForkServer]:
    server = ForkServer()
    yield server
    server.close()


@pytest.fixture
def run(forks: ForkServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Starts `coder-enterprise` with arguments and variables."""
    monkeypatch.setattr(Process, "starter", forks.start)
    started: list[Process] = []

    def start(*arguments: str, **variables: str) -> Process:
        command = [sys.executable, "-m", "coder_enterprise", *arguments]
        started.append(Process("program", command, tmp_path / "log", variables))
        return started[-1]

    yield start
    for process in started:
        process.kill()


def serving(run: Run, folder: Path) -> Process:
    process = run("server", "--http-address", "127.0.0.1:0", CODER_SQLITE_PATH=str(folder / "coder.db"))
    process.wait_until(lambda: "listening on" in process.tail(), 30)
    return process


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def is_gone(pid: int) -> bool:
    file = Path(f"/proc/{pid}/stat")
    return not file.exists() or file.read_text().rpartition(")")[2].split()[0] == "Z"


def test_it_has_its_arguments_its_log_and_its_exit_code(run: Run) -> None:
    process = run("--version")
    assert process.wait(30) == 0
    assert process.tail() == f"coder-enterprise {__version__}\n"
    assert run("--no-such-option").wait(30) == 2


def test_it_has_the_variables_of_now_alone(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODER_HTTP_ADDRESS", "nonsense")
    first = run("server")
    assert (first.wait(30), "CODER_HTTP_ADDRESS" in first.tail()) == (1, True)
    monkeypatch.delenv("CODER_HTTP_ADDRESS")
    serving(run, tmp_path)


def test_it_leads_a_session_of_its_own(run: Run, tmp_path: Path) -> None:
    process = serving(run, tmp_path)
    assert os.getsid(process.pid) == os.getpgid(process.pid) == process.pid


def test_it_is_ended_and_killed_as_others_are(run: Run, tmp_path: Path) -> None:
    assert serving(run, tmp_path).stop() == 0
    process = serving(run, tmp_path)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    assert process.exit_code is None
    assert process.kill() == process.exit_code == -signal.SIGKILL


def test_it_ends_with_the_process_that_forked_it(run: Run, tmp_path: Path) -> None:
    process = serving(run, tmp_path)
    os.kill(parent(process.pid), signal.SIGKILL)
    wait_until(lambda: is_gone(process.pid), "the server has ended")


def test_what_is_none_of_our_programs_is_started(run: Run, tmp_path: Path) -> None:
    process = Process("other", [sys.executable, "-c", "print('other')"], tmp_path / "other")
    assert parent(process.pid) == os.getpid()
    assert (process.wait(30), process.tail()) == (0, "other\n")


def test_whoever_asks_for_it_starts_anew(forkserver: None, started_anew: None) -> None:
    assert Process.starter is start_anew
