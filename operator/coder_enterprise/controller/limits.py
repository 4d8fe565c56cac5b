"""How fast and for how long: backoff per key, requests per second and circuit breaker per deployment.

Times are seconds of the event loop's clock.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Hashable
from typing import Final

from coder_enterprise.client.clock import now

BASE_DELAY: Final = 0.5
MAX_DELAY: Final = 60.0
MAX_SLOW_DELAY: Final = 300.0
"""For what a person must repair."""


class Backoff:
    """Exponential delays with jitter, for each key on its own."""

    def __init__(self, base: float = BASE_DELAY) -> None:
        self._base = base
        self._attempts: dict[Hashable, int] = {}

    def next(self, key: Hashable, cap: float) -> float:
        """The delay before the next attempt: at least half of the exponential step, so never at once, and at most
        `cap` seconds."""
        attempts = self._attempts.get(key, 0)
        self._attempts[key] = attempts + 1
        step = min(cap, self._base * 2.0 ** min(attempts, 32))
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
        self._turn = asyncio.Lock()

    @property
    def pause_left(self) -> float:
        """Seconds until requests may be sent again; 0 when they may now."""
        return max(0.0, self._paused_until - now())

    def pause(self, seconds: float) -> None:
        """No request for that long: the server said Retry-After."""
        self._paused_until = max(self._paused_until, now() + seconds)

    async def acquire(self) -> None:
        """Wait until a request may be sent. Requests are sent in the order in which they asked."""
        async with self._turn:
            await self._take()
            while (pause := self.pause_left) > 0:  # also one that began while we waited for our turn
                await asyncio.sleep(pause)

    async def _take(self) -> None:
        if self._rate is None:
            return
        moment = now()
        self._tokens = min(self._rate, self._tokens + (moment - self._filled_at) * self._rate)
        self._filled_at = moment
        self._tokens -= 1
        if self._tokens < 0:
            await asyncio.sleep(-self._tokens / self._rate)


class CircuitBreaker:
    """Open after `threshold` failures in a row. Only `reset` closes it: an answer to a request that was sent before
    it opened proves nothing."""

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

    def trip(self) -> bool:
        """Open at once; True when it was closed."""
        was_open = self.open
        self._failures = max(self._failures, self._threshold)
        return not was_open

    def succeeded(self) -> None:
        """Failures are counted anew, while it is closed."""
        if not self.open:
            self._failures = 0

    def reset(self) -> None:
        """Close it: the deployment was asked, and answers."""
        self._failures = 0
