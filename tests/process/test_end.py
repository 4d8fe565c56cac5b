"""SIGTERM at any moment ends a process that has the id 1, which ignores what it has no handler for."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from tests.support.containers import as_first_process, first_process, why_not
from tests.support.waiting import wait_until
from tools.processes import Process

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"no PID namespaces here: {why_not()}")

KUBECONFIG: Final = """
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "http://%s"}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
users: [{name: u, user: {}}]
current-context: c
"""

Moment = Callable[[int], None]
"""Waits until a process with that id has come so far."""


def handles_sigterm(pid: int) -> None:
    """Before anything is imported."""

    def probe() -> bool:
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        return bool(int(status["SigCgt"], 16) >> (signal.SIGTERM - 1) & 1)

    wait_until(probe, "SIGTERM is handled", interval=0.0)


def imports(pid: int) -> None:
    wait_until(lambda: "pydantic_core" in Path(f"/proc/{pid}/maps").read_text(), "it imports", interval=0.0)


def has_a_loop(pid: int) -> None:
    wait_until(lambda: "uvloop" in Path(f"/proc/{pid}/maps").read_text(), "its loop is imported", interval=0.0)


def after(seconds: float) -> Moment:
    """Of a process whose interpreter has started: until then nothing can hear a signal, however long that takes."""

    def wait(pid: int) -> None:
        start = time.monotonic()
        handles_sigterm(pid)
        time.sleep(max(0.0, start + seconds - time.monotonic()))

    return wait


MOMENTS: Final = (handles_sigterm, imports, has_a_loop, after(0.3), after(1), after(2))


@pytest.fixture
def silent() -> Iterator[str]:
    """Where something listens that never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def commands(program: str, silent: str, folder: Path) -> Iterator[tuple[list[str], dict[str, str]]]:
    """That program with its environment, again and again, each with what it may not share."""
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(KUBECONFIG % silent)
    number = 0
    while True:
        number += 1
        options = {
            "operator": ["--kubeconfig", str(kubeconfig), "--health-address", "", "--page-address", ""],
            "server": ["--sqlite-path", str(folder / f"{number}.db"), "--http-address", "127.0.0.1:0"],
            "wsproxy": ["--primary-access-url", f"http://{silent}", "--http-address", "127.0.0.1:0"],
            "release": ["--kubeconfig", str(kubeconfig)],
        }
        command = [sys.executable, "-m", "coder_enterprise", program, *options[program]]
        yield command, {"CODER_PROXY_SESSION_TOKEN": "token"}


def exit_code(command: list[str], environment: dict[str, str], log: Path, moment: Moment) -> int:
    """Of that command as the first process, which is sent SIGTERM at that moment."""
    unshare = Process(f"{command[3]} as the first process", as_first_process(command), log, environment)
    try:
        pid = wait_until(lambda: first_process(unshare), "it runs", interval=0.001)
        assert pid
        moment(pid)
        os.kill(pid, signal.SIGTERM)
        return unshare.wait(10)
    finally:
        unshare.kill()


@pytest.mark.parametrize(("program", "code"), [("operator", 0), ("server", 0), ("wsproxy", 0), ("release", 143)])
def test_it_ends_at_every_moment_of_its_start(
    program: str, code: int, nameless: None, silent: str, tmp_path: Path
) -> None:
    made = commands(program, silent, tmp_path)
    with ThreadPoolExecutor(len(MOMENTS)) as pool:
        ends = [
            pool.submit(exit_code, *next(made), tmp_path / f"{number}.log", moment)
            for number, moment in enumerate(MOMENTS)
        ]
        codes = [end.result() for end in ends]
    logs = [path.read_text() for path in sorted(tmp_path.glob("*.log"))]
    assert codes == [code] * len(MOMENTS), logs
    assert not any("Traceback" in text for text in logs), logs
