"""A list of a Coder server that is read once for all who ask for it, and follows our own writes.

Held by `directory`, and by whoever the directory shares it with. When it is too old, those who ask say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Generic, TypeVar

from coder_enterprise.client.absences import Absences
from coder_enterprise.client.clock import now

T = TypeVar("T")


class Snapshot(Generic[T]):
    """One list, loaded once for all who ask at the same time."""

    def __init__(self, load: Callable[[], Awaitable[T]]) -> None:
        self._load = load
        self._value: T | None = None
        self._taken_at = float("-inf")
        self._loading: asyncio.Task[None] | None = None
        self._changes: list[Callable[[T], None]] = []
        self._absences = Absences()

    @property
    def look_in(self) -> float:
        """Seconds until a `search` for names that are known to be missing reads the list again."""
        return self._absences.look_in

    @property
    def value(self) -> T | None:
        return self._value

    async def get(self, newer_than: float = float("-inf")) -> T:
        """The list as it was at some moment after `newer_than` (loop time, seconds).

        Raises `errors.CoderError`, the same one for all who waited for the same request.
        """
        while self._value is None or self._taken_at < newer_than:
            if self._loading is None:
                self._changes = []
                self._loading = asyncio.create_task(self._refresh())
                self._loading.add_done_callback(_heard)
            await asyncio.shield(self._loading)
        return self._value

    async def search(self, missing: Callable[[T], Collection[str]], newer_than: float, *, fresh: bool = False) -> T:
        """The list; as it was after `newer_than`, when there are names that it misses, and it is worth to look again
        for them, or `fresh` asks for it. `missing` tells the names that a list misses."""
        value = await self.get()
        before = missing(value)
        if before and (fresh or self._absences.worth_a_look(before)):
            value = await self.get(newer_than)
            self._absences.looked(before, missing(value))
        return value

    def change(self, change: Callable[[T], None]) -> None:
        """Let the list follow a write of our own; a list that is being read may have been read before it."""
        if self._value is not None:
            change(self._value)
        if self._loading is not None:
            self._changes.append(change)

    def expire(self) -> None:
        """Whoever asks from now on gets a list that was read later; one that is being read is too old already."""
        self._taken_at = float("-inf")
        self._value = None
        self._loading = None

    async def _refresh(self) -> None:
        try:
            started = now()
            value = await self._load()
            if self._loading is asyncio.current_task():
                for change in self._changes:
                    change(value)
                self._value, self._taken_at = value, started
        finally:
            if self._loading is asyncio.current_task():
                self._loading = None


def _heard(task: asyncio.Task[None]) -> None:
    """Whoever waited for it may be gone, and nobody else needs to hear of its error."""
    if not task.cancelled():
        task.exception()
