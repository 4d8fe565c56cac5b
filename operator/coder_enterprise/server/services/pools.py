"""Threads for work that takes processor time: few of them, and only so much that waits.

The passwords have a pool, and so have searches, so that neither waits for the other, and the event loop for none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from coder_enterprise.server.errors import Overloaded

T = TypeVar("T")


class Pool:
    """`what` is plural, as the refusal names it."""

    def __init__(self, what: str, threads: int, max_waiting: int) -> None:
        self._what = what
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=what)
        self._max_waiting = max_waiting
        self._waiting = 0

    async def run(self, work: Callable[..., T], *arguments: Any) -> T:
        """Raises `Overloaded`, and whatever `work` does."""
        if self._waiting >= self._max_waiting:
            raise Overloaded(f"Too many {self._what} wait for the processor; try again in a moment.")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
        finally:
            self._waiting -= 1
