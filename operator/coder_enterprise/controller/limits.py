"""How fast and for how long: backoff per key, requests per second and circuit breaker per deployment.

Times are seconds of the event loop's clock.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Hashable
from typing import Final

BASE_DELAY: Final = 0.5
MAX_DELAY: Final = 300.0


class Backoff:
    """Exponential delays with full jitter, for each key on its own."""

    def __init__(self, base: float = BASE_DELAY, cap: float = MAX_DELAY) -> None:
        self._base = base
        self._cap = cap
        self._attempts: dict[Hashable, int] = {}

    def next(self, key: Hashable) -> float:
        """The delay before the next attempt: at least half of the exponential step, so never at once."""
        attempts = self._attempts.get(key, 0)
        self._attempts[key] = attempts + 1
        step = min(self._cap, self._base * 2.0 ** min(attempts, 32))
        return random.uniform(step / 2, step)  # noqa: S311

    def reset(self, key: Hashable) -> None:
        self._attempts.pop(key, None)


class TokenBucket:
    """At most `rate` requests per second, in bursts of one second's worth; `rate` None is no limit."""

    def __init__(self, rate: float | None) -> None:
        self._rate = rate
        self._tokens = rate or 0.0
        self._filled_at = float("-inf")
        self._paused_until = float("-inf")

    def pause(self, seconds: float) -> None:
        """No request for that long: the server said Retry-After."""
        self._paused_until = max(self._paused_until, _now() + seconds)

    async def acquire(self) -> None:
        """Wait until a request may be sent. Requests are sent in the order in which they asked."""
        while (pause := self._paused_until - _now()) > 0:
            await asyncio.sleep(pause)
        if self._rate is None:
            return
        now = _now()
        self._tokens = min(self._rate, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        self._tokens -= 1
        if self._tokens < 0:
            await asyncio.sleep(-self._tokens / self._rate)


class CircuitBreaker:
    """Open after `threshold` failures in a row; a success closes it."""

    def __init__(self, threshold: int = 3) -> None:
        self._threshold = threshold
        self._failures = 0

    @property
    def open(self) -> bool:
        return self._failures >= self._threshold

    def failed(self) -> bool:
        """Count a failure; True when this one opened the circuit."""
        self._failures += 1
        return self._failures == self._threshold

    def succeeded(self) -> None:
        self._failures = 0

    def trip(self) -> None:
        self._failures = max(self._failures, self._threshold)


def _now() -> float:
    return asyncio.get_running_loop().time()
