"""Visits that mean the same thing in Coder take turns, and none holds up others when it ends in any way."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from coder_enterprise.controller.turns import Turns


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class Visitor:
    """Has the turn from when it gets it until it is told to end."""

    def __init__(self, turns: Turns, thing: str) -> None:
        self.inside = False
        self.end = asyncio.Event()
        self.task = asyncio.create_task(self._visit(turns, thing))

    async def _visit(self, turns: Turns, thing: str) -> None:
        async with turns.of(thing):
            self.inside = True
            try:
                await self.end.wait()
            finally:
                self.inside = False

    async def cancel(self) -> None:
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


@pytest.fixture
async def turns() -> Turns:
    return Turns()


async def test_those_who_want_the_same_thing_have_it_one_after_another(turns: Turns) -> None:
    visitors = [Visitor(turns, "group") for _ in range(3)]
    for _ in visitors:
        await settle()
        (one,) = [visitor for visitor in visitors if visitor.inside]
        one.end.set()
        await one.task
    assert all(visitor.task.done() for visitor in visitors)


async def test_those_who_want_different_things_do_not_wait(turns: Turns) -> None:
    visitors = [Visitor(turns, thing) for thing in ("group", "user")]
    await settle()
    assert all(visitor.inside for visitor in visitors)
    for visitor in visitors:
        await visitor.cancel()


async def test_whoever_is_cancelled_leaves_the_turn_to_the_next(turns: Turns) -> None:
    first, waiting, last = (Visitor(turns, "group") for _ in range(3))
    await settle()
    await waiting.cancel()
    await first.cancel()
    await settle()
    assert last.inside
    await last.cancel()


async def test_nothing_is_kept_of_a_thing_that_nobody_wants(turns: Turns) -> None:
    for _ in range(3):
        async with turns.of("group"):
            assert turns.taken == 1
    assert turns.taken == 0
