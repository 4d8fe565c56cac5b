"""How fast and for how long: backoff per key, and requests per second and pauses per deployment.

Times are seconds of the event loop's clock.
"""

from __future__ import annotations

import asyncio
import math
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
    """At most `rate` requests per second, in bursts of `burst` (by default one second's worth); `rate` None is no
    limit."""

    def __init__(self, rate: float | None, burst: float | None = None) -> None:
        self._rate = rate
        self._burst = burst or rate or 0.0
        self._tokens = self._burst
        self._filled_at = float("-inf")
        self._paused_until = float("-inf")

    @property
    def pause_left(self) -> float:
        """Seconds until requests may be sent again; 0 when they may now."""
        return max(0.0, self._paused_until - now())

    def pause(self, seconds: float) -> None:
        """No request for that long: the server said Retry-After."""
        self._paused_until = max(self._paused_until, now() + seconds)

    def reserve(self) -> float:
        """Take a token, also one that is not there yet: how many seconds it takes to come."""
        moment = now()
        begins = max(moment, self._paused_until)
        if self._rate is None:
            return begins - moment
        self._tokens = min(self._burst, self._tokens + (begins - self._filled_at) * self._rate) - 1
        self._filled_at = begins
        return begins - moment + max(0.0, -self._tokens / self._rate)

    async def acquire(self, patience: float = math.inf) -> float:
        """Wait until a request may be sent, in the order in which they asked, and return 0.

        A pause that is longer than `patience` seconds is not waited for: the seconds that are left of it are returned.
        """
        if self.pause_left > patience:
            return self.pause_left
        delay = self.reserve()
        while delay > 0:
            await asyncio.sleep(delay)
            if self.pause_left > patience:
                return self.pause_left
            delay = self.pause_left  # one may have begun while we waited
        return 0.0
