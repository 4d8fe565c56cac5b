"""Answers that hold for some seconds."""

from __future__ import annotations

import asyncio

import pytest

from coder_enterprise.page.access.remembered import Remembered


class Asked:
    """Counts how often, and answers once `gate` is open."""

    def __init__(self) -> None:
        self.times = 0
        self.now = 0.0
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None

    async def once(self) -> None:
        while not self.times:
            await asyncio.sleep(0)

    async def ask(self, key: str) -> str:
        self.times += 1
        await self.gate.wait()
        if self.error:
            raise self.error
        return f"{key}{self.times}"

    def remembered(self, most: int = 10) -> Remembered[str, str]:
        return Remembered(self.ask, lambda _: 10.0, most, lambda: self.now)


async def test_an_answer_holds_so_long_and_is_asked_for_anew_then() -> None:
    asked = Asked()
    known = asked.remembered()
    assert [await known.get("a"), await known.get("a")] == ["a1", "a1"]
    asked.now = 10.0
    assert await known.get("a") == "a2"


async def test_an_answer_is_as_old_as_its_question() -> None:
    asked = Asked()
    known = asked.remembered()
    asked.gate.clear()
    waiting = asyncio.create_task(known.get("a"))
    await asked.once()
    asked.now = 9.0
    asked.gate.set()
    await waiting
    asked.now = 10.0
    assert await known.get("a") == "a2"


async def test_many_who_want_to_know_the_same_ask_once() -> None:
    asked = Asked()
    known = asked.remembered()
    assert set(await asyncio.gather(*(known.get("a") for _ in range(20)))) == {"a1"}


async def test_who_leaves_takes_the_answer_from_nobody() -> None:
    asked = Asked()
    known = asked.remembered()
    asked.gate.clear()
    first, second = (asyncio.create_task(known.get("a")) for _ in range(2))
    await asked.once()
    first.cancel()
    asked.gate.set()
    assert await second == "a1"


async def test_a_failure_is_not_kept() -> None:
    asked = Asked()
    known = asked.remembered()
    asked.error = ValueError("no")
    with pytest.raises(ValueError, match="no"):
        await known.get("a")
    asked.error = None
    assert await known.get("a") == "a2"


async def test_the_oldest_of_too_many_goes() -> None:
    asked = Asked()
    known = asked.remembered(most=2)
    for key in ("a", "b", "a", "c"):
        await known.get(key)
    assert len(known) == 2
    assert await known.get("a") == "a1"


async def test_at_the_end_nobody_is_asked_any_more() -> None:
    asked = Asked()
    known = asked.remembered()
    asked.gate.clear()
    waiting = asyncio.create_task(known.get("a"))
    await asked.once()
    await known.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_what_holds_no_more_is_forgotten_and_the_rest_not() -> None:
    asked = Asked()
    known = asked.remembered()
    await known.get("a")
    asked.now = 5.0
    await known.get("b")
    asked.now = 10.0
    known.forget_old()
    assert len(known) == 1
    assert await known.get("b") == "b2"


async def test_what_is_to_be_forgotten_is_asked_for_anew() -> None:
    asked = Asked()
    known = asked.remembered()
    await known.get("a")
    known.forget("a")
    known.forget("nobody")
    assert len(known) == 0
    assert await known.get("a") == "a2"
