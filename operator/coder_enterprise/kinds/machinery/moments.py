"""Moments: how Kubernetes and licences write them, how many days are left, and when to look again."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any, Final

DAY: Final = timedelta(days=1)
MIN_REVISIT: Final = 0.2
MAX_REVISIT: Final = 3600.0
"""Seconds between two looks at an object that waits for a moment: the clock may be set meanwhile."""


def present() -> datetime:
    return datetime.now(UTC)


def timestamp(moment: datetime) -> str:
    """As Kubernetes writes it, to the second."""
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def read(text: Any) -> datetime | None:
    """What status has recorded; None for what is no moment."""
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None


def numeric_date(value: Any) -> datetime | None:
    """A NumericDate of RFC 7519: seconds since 1970, also with a fraction; None for what is none."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None  # no year that a calendar has


def days_left(until: datetime, now: datetime) -> int:
    """As Coder counts: begun ones included, and 0 afterwards."""
    return max(0, math.ceil((until - now) / DAY))


def revisit_in(left: timedelta) -> float:
    """Seconds until an object is to be looked at that waits for a moment."""
    return min(max(MIN_REVISIT, left.total_seconds()), MAX_REVISIT)
