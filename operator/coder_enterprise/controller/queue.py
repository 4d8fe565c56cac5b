"""The work queue: each key once, the urgent first, every deployment its own lane.

The manager's workers take keys out; the watch, the reconcilers and the timers put them in. A key that is added
while it is being worked on runs once more afterwards. A lane that is closed (its deployment is out) lets only what
a user just did pass, so that an outage costs nothing and delays nobody else. Nor do deployments that take their time:
a lane of which nothing is in work has its turn although all places are taken.
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

from coder_enterprise.client.clock import now
from coder_enterprise.kinds.machinery.resource import Key

WORKERS: Final = 512
"""Keys in work at most, which wait for answers most of the time."""
IN_FLIGHT: Final = 64
"""From there on, only one of each lane."""
IN_FLIGHT_PER_LANE: Final = 16
MANY: Final = 64
"""Timers of keys that were added anew meanwhile, before they are dropped."""


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
    shut: bool = False
    pause: asyncio.TimerHandle | None = None

    @property
    def closed(self) -> bool:
        """For all but what is urgent."""
        return self.shut or self.pause is not None

    @property
    def needed(self) -> bool:
        return bool(self.heap or self.running or self.shut or self.pause)


class Queue:
    """Everything from one event loop; any number of workers may wait in `get`."""

    def __init__(self, limit: int = IN_FLIGHT, lane_limit: int = IN_FLIGHT_PER_LANE) -> None:
        self._limit = limit
        self._lane_limit = lane_limit
        self._numbers = itertools.count()
        self._lanes: dict[Hashable, _Lane] = {}
        self._turns: deque[_Lane] = deque()
        self._ready: dict[Key, Priority] = {}
        self._since: dict[Key, float] = {}
        """When each ready key became so."""
        self._delayed: dict[Key, float] = {}
        self._timers: list[tuple[float, int, Key, Hashable, Priority]] = []
        self._running: dict[Key, tuple[_Lane, float]] = {}
        self._again: dict[Key, tuple[Hashable, Priority]] = {}
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._alarm: asyncio.Handle | None = None
        self._alarm_at = 0.0
        self._idle = asyncio.Event()
        self._idle.set()

    def __len__(self) -> int:
        """Keys that are ready or in work; those that wait for a time do not count."""
        return len(self._ready) + len(self._running)

    @property
    def delayed(self) -> int:
        return len(self._delayed)

    @property
    def lanes(self) -> int:
        return len(self._lanes)

    @property
    def longest_running(self) -> float:
        """For how many seconds the key has been worked on that has been so the longest; 0 when none is."""
        moment = now()
        return max((moment - since for _, since in self._running.values()), default=0.0)

    @property
    def oldest(self) -> float:
        """For how many seconds the key has been ready that has been so the longest; 0 when none is.

        Those of a lane that is closed wait for something else than a worker."""
        waiting = [
            self._since[key]
            for lane in self._lanes.values()
            for priority, _, key in lane.heap
            if self._ready.get(key) == priority and not (lane.closed and priority > Priority.DELETION)
        ]
        return now() - min(waiting) if waiting else 0.0

    def waiting(self, lane: Hashable) -> int:
        """Keys of that lane that are ready or in work, also while it is closed."""
        known = self._lanes.get(lane)
        if known is None:
            return 0
        ready = {key for priority, _, key in known.heap if self._ready.get(key) == priority}
        return len(ready) + known.running

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
        while (item := self._take()) is None:
            await self._wait()
        if self._ready:
            self._wake()
        return item

    def done(self, key: Key) -> None:
        """`key` is not being worked on any more."""
        lane, _ = self._running.pop(key)
        lane.running -= 1
        again = self._again.pop(key, None)
        if again:
            self._add_now(key, *again)
        if not self._running:
            self._idle.set()
        self._wake()

    def runs(self, lane: Hashable, key: Key) -> bool:
        """Whether anything of that lane, or that key, is being worked on."""
        return key in self._running or any(item.name == lane for item, _ in self._running.values())

    def resyncs(self, lane: Hashable) -> bool:
        """Whether anything of that lane that is only to be compared has not had its turn yet."""
        heap = self._lanes[lane].heap if lane in self._lanes else ()
        return any(priority is Priority.RESYNC and self._ready.get(key) == priority for priority, _, key in heap)

    async def idle(self) -> None:
        """Wait until nothing is being worked on."""
        await self._idle.wait()

    def forget(self, key: Key) -> None:
        """Drop all requests for a key that does not exist any more."""
        self._ready.pop(key, None)
        self._since.pop(key, None)
        self._delayed.pop(key, None)
        self._again.pop(key, None)

    def close(self, lane: Hashable) -> None:
        """Let only USER and DELETION pass until `open`."""
        self._lane(lane).shut = True

    def open(self, lane: Hashable) -> None:
        self._lane(lane).shut = False
        self._wake()

    def pause(self, lane: Hashable, seconds: float) -> None:
        """Close a lane for that long; `open` does not end it."""
        paused = self._lane(lane)
        until = now() + seconds
        if paused.pause is not None:
            if paused.pause.when() >= until:
                return
            paused.pause.cancel()
        paused.pause = asyncio.get_running_loop().call_at(until, self._resume, paused)

    def _resume(self, lane: _Lane) -> None:
        lane.pause = None
        self._wake()

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
        self._since.setdefault(key, now())
        heapq.heappush(self._lane(lane).heap, (priority, next(self._numbers), key))
        self._wake()

    def _add_later(self, key: Key, lane: Hashable, priority: Priority, delay: float) -> None:
        due = now() + delay
        if key in self._ready or self._delayed.get(key, due + 1) <= due:
            return
        self._delayed[key] = due
        heapq.heappush(self._timers, (due, next(self._numbers), key, lane, priority))
        if len(self._timers) > 2 * len(self._delayed) + MANY:
            self._timers = [timer for timer in self._timers if self._delayed.get(timer[2]) == timer[0]]
            heapq.heapify(self._timers)
        self._set_alarm()

    def _set_alarm(self) -> None:
        """One timer for the earliest of all delayed keys."""
        due = self._timers[0][0]
        if self._alarm is not None:
            if self._alarm_at <= due:
                return
            self._alarm.cancel()
        # Not asked of the handle: uvloop gives one without `when` for a time that has come already.
        self._alarm_at = due
        self._alarm = asyncio.get_running_loop().call_at(due, self._promote)

    def _promote(self) -> None:
        self._alarm = None
        moment = now()
        while self._timers and self._timers[0][0] <= moment:
            due, _, key, lane, priority = heapq.heappop(self._timers)
            if self._delayed.get(key) == due:
                del self._delayed[key]
                self.add(key, lane, priority)
        if self._timers:
            self._set_alarm()

    def _take(self) -> Item | None:
        full = len(self._running) >= self._limit
        for _ in range(len(self._turns)):
            lane = self._turns.popleft()
            item = None if full and lane.running else self._take_from(lane)
            if lane.needed:
                self._turns.append(lane)
            else:
                del self._lanes[lane.name]
            if item:
                return item
        return None

    def _take_from(self, lane: _Lane) -> Item | None:
        while lane.heap and lane.running < self._lane_limit:
            priority, _, key = lane.heap[0]
            if self._ready.get(key) != priority:
                heapq.heappop(lane.heap)  # a more urgent request, or `forget`, has overtaken this entry
                continue
            if lane.closed and priority > Priority.DELETION:
                return None
            heapq.heappop(lane.heap)
            del self._ready[key], self._since[key]
            lane.running += 1
            self._running[key] = (lane, now())
            self._idle.clear()
            return Item(key, priority)
        return None

    async def _wait(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._wake()  # it was this worker's turn, and another must take it
            raise

    def _wake(self) -> None:
        """One waiting worker; it wakes the next when there is more to do."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
