"""Child processes end with us, however that happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typing_extensions import override

from tests.support.waiting import wait_until
from tools.processes import INTERRUPTED, Process, ProcessFailed, Restartable, free_ports

FOREVER = [sys.executable, "-c", "import signal; signal.pause()"]
IGNORES_SIGTERM = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
while True:
    signal.pause()
"""
PARENT = """
import signal, sys, time
from pathlib import Path
from tools.processes import Process
signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored where tests run in the background
child = Process("child", [sys.executable, "-c", "import signal; signal.pause()"], Path(sys.argv[1]))
print(child.pid, flush=True)
time.sleep(600)
"""

TIDY = """
import asyncio, sys, tempfile
from tools.processes import run

async def wait():
    await asyncio.sleep(600)

def main():
    with tempfile.TemporaryDirectory() as folder:
        print(folder, flush=True)
        asyncio.run(wait())
    return 0

sys.exit(run(main))
"""


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


def test_stop_ends_a_process(tmp_path: Path) -> None:
    process = Process("forever", FOREVER, tmp_path / "log")
    process.stop()
    assert not is_alive(process.pid)


def test_stop_ends_one_that_does_not_listen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.processes.TERMINATE_TIMEOUT", 0.2)
    process = Process("deaf", [sys.executable, "-c", IGNORES_SIGTERM], tmp_path / "log")
    process.wait_until(lambda: "deaf" in process.tail(), 10)
    assert process.stop() == -signal.SIGKILL


def test_a_process_that_ends_too_early_is_reported_with_its_log(tmp_path: Path) -> None:
    process = Process("short", [sys.executable, "-c", "print('no more'); raise SystemExit(3)"], tmp_path / "log")
    with pytest.raises(ProcessFailed, match=r"short ended with 3:\nno more"):
        process.wait_until(lambda: False, 10)


def test_a_process_that_is_never_ready_is_reported(tmp_path: Path) -> None:
    process = Process("forever", FOREVER, tmp_path / "log")
    try:
        with pytest.raises(ProcessFailed, match="not ready within"):
            process.wait_until(lambda: False, 0.1)
    finally:
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_program_that_is_ended_leaves_no_folder(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", TIDY], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        try:
            folder = Path(program.stdout.readline().strip())
            assert folder.is_dir()
            program.send_signal(number)
            assert program.wait(10) == INTERRUPTED
        finally:
            program.kill()
    assert not folder.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_child_ends_with_its_parent(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as parent:
        assert parent.stdout is not None
        try:
            child = int(parent.stdout.readline())
            parent.send_signal(number)
            parent.wait(10)
        finally:
            parent.kill()
    wait_until(lambda: not is_alive(child), "the child has ended")


def test_free_ports_are_different_ones() -> None:
    assert len(set(free_ports(20))) == 20


class NeverStarts(Restartable):
    closed = False

    @override
    def start(self) -> None:
        raise KeyboardInterrupt

    @override
    def close(self) -> None:
        self.closed = True


def test_what_is_interrupted_while_it_starts_is_closed() -> None:
    program = NeverStarts()
    with pytest.raises(KeyboardInterrupt), program:
        pass
    assert program.closed
