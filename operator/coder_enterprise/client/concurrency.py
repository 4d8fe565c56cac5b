"""Several requests at a time, and no more: for what would take too long one after another.

Used by the kinds and by the release of objects.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


async def each(items: Iterable[T], work: Callable[[T], Awaitable[None]], at_a_time: int) -> None:
    """Do `work` for all items, begun in their order. The first error ends the others, and is raised when they have
    ended."""
    left = iter(items)

    async def take_turns() -> None:
        for item in left:
            await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_a_time):
                group.create_task(take_turns())
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
