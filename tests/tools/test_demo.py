"""`make demo` comes true, and says so by its exit code."""

from __future__ import annotations

import subprocess
import sys

import pytest
from rich.console import Console

from tools.demo.screen import Body, DemoFailed, Screen
from tools.kubernetes.control_plane import ControlPlane


def test_the_demo_comes_true(control_plane: ControlPlane) -> None:
    answer = subprocess.run([sys.executable, "-m", "tools.demo"], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "Everything came true" in answer.stdout


def test_what_does_not_come_true_fails_with_what_is_shown_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.demo.screen.TIMEOUT", 0.1)
    body: Body = {"kind": "CoderGroup", "metadata": {"name": "platform", "generation": 1}}
    screen = Screen(Console(quiet=True), lambda: [body])
    with pytest.raises(DemoFailed, match=r"all is well: not within(.|\n)*CoderGroup +platform"):
        screen.follow("all is well", lambda _: False)
