"""One at a time: of objects that mean the same thing in Coder, the next is visited when the one before is done.

Used by the reconciler of managed objects. Who may have a thing, `controller.ownership` says, from what is recorded: two
visits at once would each find that the other one has recorded nothing yet.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary


class Turns:
    def __init__(self) -> None:
        self._locks: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()
        """Only of what somebody has, or waits for."""

    @asynccontextmanager
    async def of(self, thing: Hashable) -> AsyncIterator[None]:
        lock = self._locks.get(thing)
        if lock is None:
            lock = self._locks[thing] = asyncio.Lock()
        async with lock:
            yield
