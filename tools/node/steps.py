"""How the scenario speaks: one line when a step begins, one with its verdict and its time when it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
Step = tuple[str, Callable[[T], str | None]]
"""What it is called, and what it does, which may say something for the verdict."""


def follow(steps: Sequence[Step[T]], subject: T) -> None:
    """In their order, until one raises; that is let through."""
    for number, (title, step) in enumerate(steps, 1):
        where = f"[{number}/{len(steps)}]"
        print(f"{where} {title} ...", flush=True)
        started = time.monotonic()
        try:
            found = step(subject)
        except BaseException:
            print(f"{where} FAILED after {time.monotonic() - started:.1f} s: {title}", flush=True)
            raise
        print(f"{where} ok, {time.monotonic() - started:.1f} s{f': {found}' if found else ''}", flush=True)
