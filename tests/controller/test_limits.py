"""Backoff and token bucket: how fast, and for how long."""

from __future__ import annotations

import asyncio

import pytest

from coder_enterprise.controller.limits import MAX_DELAY, Backoff, TokenBucket

pytestmark = pytest.mark.looptime


def now() -> float:
    return asyncio.get_running_loop().time()


async def sent_at(bucket: TokenBucket, count: int) -> list[float]:
    """When each of `count` requests that ask at the same time may be sent, in the order in which they asked."""
    started = now()
    times = [0.0] * count

    async def send(number: int) -> None:
        await bucket.acquire()
        times[number] = now() - started

    await asyncio.gather(*(send(number) for number in range(count)))
    return times


async def test_delays_double_up_to_their_cap_and_are_never_nothing() -> None:
    backoff = Backoff(base=1)
    for step in (1, 2, 4, 8, 16, 32, MAX_DELAY, MAX_DELAY):
        assert step / 2 <= backoff.next("key", MAX_DELAY) <= step


async def test_delays_are_spread() -> None:
    assert len({Backoff().next("key", MAX_DELAY) for _ in range(20)}) == 20


async def test_a_key_that_is_reset_begins_anew_and_no_other_does() -> None:
    backoff = Backoff(base=1)
    for key in ("one", "two"):
        for _ in range(6):
            backoff.next(key, MAX_DELAY)
    backoff.reset("one")
    assert backoff.next("one", MAX_DELAY) <= 1
    assert backoff.next("two", MAX_DELAY) >= 30


async def test_a_thousand_attempts_overflow_nothing() -> None:
    backoff = Backoff()
    assert all(backoff.next("key", 300) <= 300 for _ in range(1000))


async def test_a_burst_of_one_second_passes_and_the_rest_at_the_rate() -> None:
    times = await sent_at(TokenBucket(10), 30)
    assert times[:10] == [0.0] * 10
    assert times[10:] == pytest.approx([number / 10 for number in range(1, 21)], abs=0.01)


async def test_tokens_do_not_pile_up_for_more_than_one_second() -> None:
    bucket = TokenBucket(10)
    await sent_at(bucket, 10)
    await asyncio.sleep(3600)
    assert await sent_at(bucket, 11) == pytest.approx([0.0] * 10 + [0.1], abs=0.01)


async def test_without_a_rate_nothing_waits() -> None:
    assert await sent_at(TokenBucket(None), 1000) == [0.0] * 1000


async def test_during_a_pause_nothing_is_sent_and_afterwards_all_in_their_order() -> None:
    bucket = TokenBucket(2)
    bucket.pause(5)
    bucket.pause(1)
    assert bucket.pause_left == pytest.approx(5)
    times = await sent_at(bucket, 6)
    assert min(times) == pytest.approx(5, abs=0.01)
    assert times == sorted(times)
    assert bucket.pause_left == 0


async def test_a_pause_also_stops_requests_that_wait_for_their_token() -> None:
    bucket = TokenBucket(1)
    await bucket.acquire()
    waiting = asyncio.create_task(bucket.acquire())
    await asyncio.sleep(0.5)
    bucket.pause(10)
    started = now()
    await waiting
    assert now() - started == pytest.approx(10, abs=0.01)


async def test_who_has_no_patience_for_a_pause_is_told_how_long_it_takes() -> None:
    bucket = TokenBucket(1)
    await bucket.acquire()
    waiting = [asyncio.create_task(bucket.acquire(patience=5)) for _ in range(3)]
    await asyncio.sleep(0.5)
    bucket.pause(120)
    started = now()
    assert min(await asyncio.gather(*waiting)) > 110
    assert await bucket.acquire(patience=5) > 110
    assert now() - started < 5


async def test_what_is_reserved_comes_at_the_rate_once_the_burst_is_over() -> None:
    bucket = TokenBucket(2, burst=4)
    assert [bucket.reserve() for _ in range(7)] == pytest.approx([0, 0, 0, 0, 0.5, 1, 1.5])
