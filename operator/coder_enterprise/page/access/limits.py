"""How often somebody may try to sign in, and how many streams they may have: counted in memory, and forgotten."""

from __future__ import annotations

import contextlib
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator
from typing import Final

PERIOD: Final = 60.0
ATTEMPTS: Final = 20
"""Failures of one address in a period, after which it waits. A proxy is one address for all whom it serves."""
ADDRESSES: Final = 1_000
STREAMS_OF_ONE: Final = 20


class TooMany(Exception):
    """The message says of what; `wait` are seconds after which it may work."""

    def __init__(self, message: str, wait: float) -> None:
        super().__init__(message)
        self.wait = wait


class Attempts:
    """Failures to sign in, by address."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def check(self, address: str) -> None:
        """Raises `TooMany`."""
        found = self._failures.get(address)
        if found is None or len(found) < ATTEMPTS:
            return
        wait = found[0] + PERIOD - self._clock()
        if wait > 0:
            raise TooMany("too many tokens were refused that came from there", wait)

    def failed(self, address: str) -> None:
        found = self._failures.setdefault(address, deque(maxlen=ATTEMPTS))
        found.append(self._clock())
        self._failures.move_to_end(address)
        while len(self._failures) > ADDRESSES:
            self._failures.popitem(last=False)


class Streams:
    """Streams of events that are open, by whoever has them."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    @contextlib.contextmanager
    def one(self, whose: str) -> Iterator[None]:
        """While it is open. Raises `TooMany`. Whoever has no name is not counted: they are at this machine."""
        if not whose:
            yield
            return
        if self._open[whose] >= STREAMS_OF_ONE:
            raise TooMany("too many pages follow what happens; close some", PERIOD)
        self._open[whose] += 1
        try:
            yield
        finally:
            self._open[whose] -= 1
            if not self._open[whose]:
                del self._open[whose]
