"""The header Retry-After, as servers and what stands before them write it.

Read by both HTTP clients, that of Coder and that of Kubernetes, and by what watches through the latter.
"""

from __future__ import annotations

import math
import time
from email.utils import parsedate_to_datetime


def retry_after(header: str) -> float | None:
    """Seconds, at least 0, from a number or an HTTP date (RFC 9110, 10.2.3); None from what is neither."""
    if not header:
        return None  # as of nearly all answers: to look for a number and for a date is a percent of a request
    try:
        wanted = float(header)
    except ValueError:
        wanted = _seconds_until(header)
    return max(wanted, 0.0) if math.isfinite(wanted) else None


def _seconds_until(date: str) -> float:
    try:
        return parsedate_to_datetime(date).timestamp() - time.time()
    except (ValueError, OverflowError):
        return math.nan
