"""Several requests at a time, and no more: for what would take too long one after another; and how tasks are ended.

Used by the kinds, by the release of objects, by the commands and by the page.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


async def together(calls: Iterable[Awaitable[T]]) -> list[T]:
    """Their results, in order; the first error is raised when all have ended: what is cancelled while it connects
    leaves its socket to the garbage collector (asyncio)."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    found: list[T] = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        found.append(result)
    return found


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel them, and wait until they have ended, whatever they end with."""
    ending = list(tasks)
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)


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
