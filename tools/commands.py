"""Programs that others wrote, run in sight: used by the tools that build an image or a cluster."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


class StepFailed(RuntimeError):
    """A command did not do what it should; it has said why."""


def run(*command: str | Path, input: str | None = None, env: Mapping[str, str] | None = None) -> None:  # noqa: A002
    """Show it, run it, and let it speak. Raises `StepFailed`."""
    words = [str(word) for word in command]
    shown = _short(words)
    print(f"$ {shown}", file=sys.stderr, flush=True)
    if subprocess.run(words, input=input, text=True, env=env, check=False).returncode:
        raise StepFailed(shown)


def output(*command: str | Path, env: Mapping[str, str] | None = None, timeout: float | None = None) -> str:
    """What it prints, without the space around it; it is not shown.

    Raises `StepFailed` with what it complained of, or when it has not ended in `timeout` seconds.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, capture_output=True, text=True, env=env, check=False, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise StepFailed(f"{_short(words)}: no answer in {timeout:.0f} s") from error
    if done.returncode:
        raise StepFailed(f"{_short(words)}: {done.stderr.strip()}")
    return done.stdout.strip()


def _short(words: list[str]) -> str:
    return f"{Path(words[0]).name} {' '.join(words[1:])}"
