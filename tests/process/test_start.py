"""A process before anything of it is imported: signals, and streams that are closed or have few characters."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PRESSED = "import os, signal; from coder_enterprise.process import start; {}; os.kill(os.getpid(), signal.{})"


def pressed(before: str, signal: str = "SIGINT") -> subprocess.CompletedProcess[str]:
    script = PRESSED.format(before, signal)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("command", ["['status']", "['export', '-o', 'coder']", "[]"])
def test_ctrl_c_before_a_command_is_there_ends_it_as_shells_expect_without_a_word(command: str) -> None:
    ended = pressed(f"start.prepare({command})")
    assert (ended.returncode, ended.stderr) == (130, "")


def test_afterwards_the_command_sees_it_itself() -> None:
    assert "KeyboardInterrupt" in pressed("start.prepare(['status']); start.hand_over()").stderr


def test_a_command_that_is_told_to_end_leaves_things_in_order() -> None:
    tidy = "import atexit; atexit.register(print, 'tidied')"
    ended = pressed(f"{tidy}; start.prepare(['export']); start.hand_over()", "SIGTERM")
    assert (ended.returncode, ended.stdout, ended.stderr) == (143, "tidied\n", "")


def test_the_second_time_it_ends_at_once() -> None:
    again = "import atexit; atexit.register(lambda: os.kill(os.getpid(), signal.SIGTERM) or print('too late'))"
    ended = pressed(f"{again}; start.prepare(['export']); start.hand_over()", "SIGTERM")
    assert (ended.returncode, ended.stdout) == (143, "")


@pytest.mark.parametrize(("signal", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_work_on_the_servers_data_that_is_broken_off_is_not_done(signal: str, code: int) -> None:
    ended = pressed("start.prepare(['server', 'backup', 'x']); start.does_not_stay()", signal)
    assert ended.returncode in (code, -2)  # of an interrupt that nobody catches, Python makes the signal again


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


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-8:strict"])
def test_what_the_output_has_no_character_for_is_shown_and_json_stays_what_it_is(encoding: str) -> None:
    text = "one… two é 😀 \udcfe"
    script = (
        "from coder_enterprise.process import start; start.prepare(['plan']); import json, sys; "
        "print(json.dumps(json.loads(sys.argv[1]), ensure_ascii=False))"
    )
    words = [sys.executable, "-c", script, json.dumps(text)]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    ended = subprocess.run(words, capture_output=True, timeout=60, check=True, env=environment)
    assert json.loads(ended.stdout.decode(encoding.partition(":")[0])) == text
