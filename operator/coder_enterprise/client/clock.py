"""The time that intervals are measured by."""

from __future__ import annotations

import asyncio


def now() -> float:
    """The event loop's clock, in seconds: monotonic, and faked in tests."""
    return asyncio.get_running_loop().time()
