"""The work queue: each key once, the urgent first, every deployment its own lane.

The manager's workers take keys out; the watch, the reconcilers and the timers put them in. A key that is added
while it is being worked on runs once more afterwards. A lane that is held (its deployment is out) lets only what
a user just did pass, so that an outage costs nothing and delays nobody else.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, NamedTuple

from coder_enterprise.kinds.resource import Key

IN_FLIGHT: Final = 32
IN_FLIGHT_PER_LANE: Final = 16


class Priority(IntEnum):
    USER = 0
    DELETION = 1
    RETRY = 2
    RESYNC = 3


class Item(NamedTuple):
    key: Key
    priority: Priority


@dataclass(slots=True)
class _Lane:
    name: Hashable
    heap: list[tuple[Priority, int, Key]] = field(default_factory=list)
    running: int = 0
    held: bool = False


class Queue:
    """Everything from one event loop; any number of workers may wait in `get`."""

    def __init__(self, limit: int = IN_FLIGHT, lane_limit: int = IN_FLIGHT_PER_LANE) -> None:
        self._limit = limit
        self._lane_limit = lane_limit
        self._numbers = itertools.count()
        self._lanes: dict[Hashable, _Lane] = {}
        self._turns: deque[_Lane] = deque()
        self._ready: dict[Key, Priority] = {}
        self._delayed: dict[Key, float] = {}
        self._timers: list[tuple[float, int, Key, Hashable, Priority]] = []
        self._running: dict[Key, _Lane] = {}
        self._again: dict[Key, tuple[Hashable, Priority]] = {}
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        """Keys that are ready or in work; those that wait for a time do not count."""
        return len(self._ready) + len(self._running)

    @property
    def delayed(self) -> int:
        return len(self._delayed)

    def add(self, key: Key, lane: Hashable, priority: Priority, delay: float = 0.0) -> None:
        """Ask for `key` to be worked on, after `delay` seconds. The earliest and most urgent request counts."""
        if delay > 0:
            self._add_later(key, lane, priority, delay)
        elif key in self._running:
            known = self._again.get(key)
            self._again[key] = (lane, min(priority, known[1]) if known else priority)
        else:
            self._add_now(key, lane, priority)

    async def get(self) -> Item:
        """The next key; `done` must follow."""
        while True:
            self._promote()
            item = self._take()
            if item:
                return item
            self._changed.clear()
            await self._wait()

    def done(self, key: Key) -> None:
        """`key` is not being worked on any more."""
        lane = self._running.pop(key)
        lane.running -= 1
        again = self._again.pop(key, None)
        if again:
            self._add_now(key, *again)
        self._changed.set()

    async def idle(self) -> None:
        """Wait until nothing is being worked on."""
        while self._running:
            self._changed.clear()
            await self._changed.wait()

    def forget(self, key: Key) -> None:
        """Drop all requests for a key that does not exist any more."""
        self._ready.pop(key, None)
        self._delayed.pop(key, None)
        self._again.pop(key, None)

    def hold(self, lane: Hashable) -> None:
        """Let only USER and DELETION pass until `release`."""
        self._lane(lane).held = True

    def release(self, lane: Hashable) -> None:
        self._lane(lane).held = False
        self._changed.set()

    def _lane(self, name: Hashable) -> _Lane:
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = _Lane(name)
            self._turns.append(lane)
        return lane

    def _add_now(self, key: Key, lane: Hashable, priority: Priority) -> None:
        self._delayed.pop(key, None)
        known = self._ready.get(key)
        if known is not None and known <= priority:
            return
        self._ready[key] = priority
        heapq.heappush(self._lane(lane).heap, (priority, next(self._numbers), key))
        self._changed.set()

    def _add_later(self, key: Key, lane: Hashable, priority: Priority, delay: float) -> None:
        due = asyncio.get_running_loop().time() + delay
        if key in self._ready or self._delayed.get(key, due + 1) <= due:
            return
        self._delayed[key] = due
        heapq.heappush(self._timers, (due, next(self._numbers), key, lane, priority))
        self._changed.set()

    def _promote(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._timers and self._timers[0][0] <= now:
            due, _, key, lane, priority = heapq.heappop(self._timers)
            if self._delayed.get(key) == due:
                del self._delayed[key]
                self.add(key, lane, priority)

    def _take(self) -> Item | None:
        if len(self._running) >= self._limit:
            return None
        for _ in range(len(self._turns)):
            lane = self._turns[0]
            self._turns.rotate(-1)
            item = self._take_from(lane)
            if item:
                return item
        return None

    def _take_from(self, lane: _Lane) -> Item | None:
        while lane.heap and lane.running < self._lane_limit:
            priority, _, key = lane.heap[0]
            if self._ready.get(key) != priority:
                heapq.heappop(lane.heap)  # a more urgent request, or `forget`, has overtaken this entry
                continue
            if lane.held and priority > Priority.DELETION:
                return None
            heapq.heappop(lane.heap)
            del self._ready[key]
            lane.running += 1
            self._running[key] = lane
            return Item(key, priority)
        return None

    async def _wait(self) -> None:
        if not self._timers or len(self._running) >= self._limit:
            await self._changed.wait()
            return
        delay = self._timers[0][0] - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(max(0.0, delay)):
                await self._changed.wait()
        except TimeoutError:
            return
