"""Whether a deployment still answers, as far as requests for its objects tell: the breaker of one connection.

Owned by `controller.connections`, which tells it of each answer. A doubt does nothing to the objects: it only has the
deployment asked, because one object that always fails says nothing about the others.
"""

from __future__ import annotations

from typing import Final

from coder_enterprise.client import errors
from coder_enterprise.client.clock import now

DOUBTFUL_AFTER: Final = 3
"""Failures in a row."""
MAX_COOL_DOWN: Final = 60.0
DOUBT_MEMORY: Final = 120.0
"""Seconds within which a doubt that rises again is asked about later than the one before."""


class Doubts:
    """Whether requests for objects make it doubtful that their deployment answers. `settle` ends a doubt, and nothing
    else does: an answer to a request that was sent before proves nothing."""

    def __init__(self) -> None:
        self._failures = 0
        self._raised_at = float("-inf")
        self._delay = 0.0

    def failed(self, error: errors.CoderError) -> float | None:
        """When a doubt rises: in how many seconds the deployment is to be asked. That is at once the first time, and
        ever later if it answers well and its objects go on failing."""
        known = self._failures
        self._failures += DOUBTFUL_AFTER if isinstance(error, errors.Unauthorized) else 1
        if not known < DOUBTFUL_AFTER <= self._failures:
            return None
        again = now() - self._raised_at < DOUBT_MEMORY + self._delay
        self._delay = min(MAX_COOL_DOWN, max(1.0, self._delay * 2)) if again else 0.0
        self._raised_at = now()
        return self._delay

    def succeeded(self) -> None:
        """Failures are counted anew, while there is no doubt."""
        if self._failures < DOUBTFUL_AFTER:
            self._failures = 0

    def settle(self) -> None:
        """The deployment was asked, and answers."""
        self._failures = 0
