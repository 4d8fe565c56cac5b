"""One at a time: of objects that mean the same thing in Coder, the next is visited when the one before is done.

Used by the reconciler of managed objects. Who may have a thing, `controller.ownership` says, from what is recorded: two
visits at once would each find that the other one has recorded nothing yet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from typing import Self


class Turns:
    def __init__(self) -> None:
        self._taken: dict[Hashable, asyncio.Event | None] = {}
        """What somebody has, and the end of that where others wait for it. A lock for each visit would cost as much as
        a tenth of it."""

    @property
    def taken(self) -> int:
        """How many things somebody has."""
        return len(self._taken)

    def of(self, thing: Hashable) -> Turn:
        return Turn(self._taken, thing)


class Turn:
    """An asynchronous context manager: to have the thing alone."""

    __slots__ = ("_taken", "_thing")

    def __init__(self, taken: dict[Hashable, asyncio.Event | None], thing: Hashable) -> None:
        self._taken = taken
        self._thing = thing

    async def __aenter__(self) -> Self:
        while self._thing in self._taken:
            end = self._taken[self._thing] = self._taken[self._thing] or asyncio.Event()
            await end.wait()
        self._taken[self._thing] = None
        return self

    async def __aexit__(self, *exception: object) -> None:
        end = self._taken.pop(self._thing)
        if end is not None:
            end.set()
