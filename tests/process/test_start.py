"""A process before anything of it is imported: Ctrl-C, and streams that are closed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PRESSED = "import os, signal; from coder_enterprise.process import start; {}; os.kill(os.getpid(), signal.SIGINT)"


def pressed(before: str) -> subprocess.CompletedProcess[str]:
    script = PRESSED.format(before)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("command", ["['status']", "['export', '-o', 'coder']", "[]"])
def test_ctrl_c_before_a_command_is_there_ends_it_as_shells_expect_without_a_word(command: str) -> None:
    ended = pressed(f"start.prepare({command})")
    assert (ended.returncode, ended.stderr) == (130, "")


def test_afterwards_the_command_sees_it_itself() -> None:
    assert "KeyboardInterrupt" in pressed("start.prepare(['status']); start.hand_over()").stderr


def test_what_a_shell_runs_in_the_background_goes_on_ignoring_it() -> None:
    ignored = "signal.signal(signal.SIGINT, signal.SIG_IGN)"
    ended = pressed(f"{ignored}; start.prepare(['status']); start.hand_over()")
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_the_caller_has_closed_is_an_empty_one(closed: str, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    script = (
        "from coder_enterprise.process import start; start.prepare(['status']); import os, pathlib, sys; "
        "sys.stdin.read(); print('x'); print('x', file=sys.stderr); "
        f"pathlib.Path({str(seen)!r}).write_text(str([each.fileno() for each in (sys.stdin, sys.stdout, sys.stderr)]))"
    )
    line = f'"{sys.executable}" -c "{script}" {closed}'
    subprocess.run(line, shell=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=True)
    assert seen.read_text() == "[0, 1, 2]"
