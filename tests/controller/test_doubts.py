"""When requests for objects have their deployment asked."""

from __future__ import annotations

import asyncio

import pytest

from coder_enterprise.client import errors
from coder_enterprise.controller.doubts import DOUBT_MEMORY, MAX_COOL_DOWN, Doubts

pytestmark = pytest.mark.looptime

LOST = errors.Unreachable("no answer")
REFUSED = errors.Unauthorized(401, "who are you?")


async def test_three_failures_in_a_row_raise_one_doubt() -> None:
    doubts = Doubts()
    assert [doubts.failed(LOST), doubts.failed(LOST)] == [None, None]
    doubts.succeeded()
    assert [doubts.failed(LOST) for _ in range(5)] == [None, None, 0.0, None, None]


async def test_one_refused_token_raises_a_doubt() -> None:
    doubts = Doubts()
    assert [doubts.failed(LOST), doubts.failed(REFUSED), doubts.failed(REFUSED)] == [None, 0.0, None]


async def test_a_late_answer_does_not_settle_a_doubt() -> None:
    doubts = Doubts()
    doubts.failed(REFUSED)
    doubts.succeeded()
    assert doubts.failed(REFUSED) is None
    doubts.settle()
    assert doubts.failed(REFUSED) is not None


async def test_a_doubt_that_rises_again_and_again_is_asked_about_ever_later() -> None:
    doubts, delays = Doubts(), []
    for _ in range(9):
        delay = doubts.failed(REFUSED)
        assert delay is not None
        delays.append(delay)
        await asyncio.sleep(delay)
        doubts.settle()
    assert delays == [0, 1, 2, 4, 8, 16, 32, MAX_COOL_DOWN, MAX_COOL_DOWN]
    await asyncio.sleep(DOUBT_MEMORY + MAX_COOL_DOWN)
    assert doubts.failed(REFUSED) == 0
