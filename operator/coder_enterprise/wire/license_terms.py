"""How long licences last together: the one rule of it that both halves go by.

The server warns of the end, and refuses what has ended; the operator shows the end in status and metrics.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

Term = tuple[datetime, datetime]
"""When it begins, and when it ends."""


def last_until(terms: Iterable[Term], now: datetime) -> datetime:
    """The end of the terms that follow each other from `now` on without a gap; `now` when none has begun and lasts."""
    end = now
    for begins, ends in sorted(terms):
        if begins <= end:
            end = max(end, ends)
    return end
