"""Answers that hold for some seconds: bounded, and asked for once however many wait for the same one.

Used by the reviews, which would otherwise ask Kubernetes anew for every row of every list.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from coder_enterprise.client.concurrency import end

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Remembered(Generic[K, V]):
    def __init__(
        self,
        ask: Callable[[K], Awaitable[V]],
        lasts: Callable[[V], float],
        most: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`lasts` says for how many seconds an answer holds; of more than `most`, the one that was asked for the
        longest time ago goes."""
        self._ask = ask
        self._lasts = lasts
        self._most = most
        self._clock = clock
        self._known: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._asked: dict[K, asyncio.Task[V]] = {}

    def __len__(self) -> int:
        return len(self._known)

    async def get(self, key: K) -> V:
        """Raises what asking raises, which is not kept."""
        known = self._known.get(key)
        if known is not None and self._clock() < known[0]:
            self._known.move_to_end(key)
            return known[1]
        task = self._asked.get(key)
        if task is None:
            task = self._asked[key] = asyncio.create_task(self._learn(key))
            task.add_done_callback(lambda _: self._asked.pop(key, None))
        # Whoever was first may leave, and the others wait on.
        return await asyncio.shield(task)

    def forget(self, key: K) -> None:
        self._known.pop(key, None)

    def forget_old(self) -> None:
        """What does not hold any more is of no use, and a key may be a secret."""
        now = self._clock()
        for key in [key for key, (until, _) in self._known.items() if until <= now]:
            del self._known[key]

    async def close(self) -> None:
        """Nobody is answered any more."""
        await end(self._asked.values())

    async def _learn(self, key: K) -> V:
        # From when it was asked on: what changes while the answer is under way is not known by it.
        begun = self._clock()
        value = await self._ask(key)
        self._known[key] = (begun + self._lasts(value), value)
        self._known.move_to_end(key)
        while len(self._known) > self._most:
            self._known.popitem(last=False)
        return value
