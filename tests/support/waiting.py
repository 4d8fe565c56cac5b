"""Waiting for what must become true: tests never sleep for a time that should be long enough."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

TIMEOUT: Final = 30.0
INTERVAL: Final = 0.05
PATIENCE: Final = 120.0
"""Seconds, for what fails by chance: who fails several times waits longer each time."""


def wait_until(probe: Callable[[], T], what: str, timeout: float = TIMEOUT, *, interval: float = INTERVAL) -> T:
    """The first true value of `probe`; fails after `timeout` seconds and shows the last value."""
    deadline = time.monotonic() + timeout
    while True:
        value = probe()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {timeout:.0f} s: {what}; last: {value!r}"
        time.sleep(interval)


async def wait_for(probe: Callable[[], T], what: str, timeout: float = TIMEOUT) -> T:
    """As `wait_until`, for what happens in the same event loop."""
    deadline = time.monotonic() + timeout
    while True:
        value = probe()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {timeout:.0f} s: {what}; last: {value!r}"
        await asyncio.sleep(INTERVAL)
