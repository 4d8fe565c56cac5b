"""The work queue: what runs, in which order, and what does not."""

from __future__ import annotations

import asyncio
import time

import pytest
import uvloop

from coder_enterprise.controller.queue import MANY, Item, Priority, Queue
from coder_enterprise.kinds.machinery.resource import Key

pytestmark = pytest.mark.looptime


def key(name: str) -> Key:
    return Key("CoderGroup", "default", name)


@pytest.fixture
def queue() -> Queue:
    return Queue(limit=4, lane_limit=2)


async def nothing_comes(queue: Queue) -> bool:
    try:
        async with asyncio.timeout(0.01):
            await queue.get()
    except TimeoutError:
        return True
    return False


async def test_a_key_that_is_added_twice_is_worked_on_once(queue: Queue) -> None:
    queue.add(key("a"), "lane", Priority.RESYNC)
    queue.add(key("a"), "lane", Priority.RESYNC)
    assert (await queue.get()).key == key("a")
    queue.done(key("a"))
    assert await nothing_comes(queue)


async def test_who_waits_in_a_lane_is_counted_once_also_while_it_is_closed(queue: Queue) -> None:
    queue.close("lane")
    queue.add(key("a"), "lane", Priority.RETRY)
    queue.add(key("a"), "lane", Priority.RESYNC)
    queue.add(key("b"), "lane", Priority.RESYNC)
    queue.add(key("c"), "other", Priority.RESYNC)
    assert queue.waiting("lane") == 2
    queue.open("lane")
    first = await queue.get()
    assert queue.waiting("lane") + queue.waiting("other") == 3
    queue.done(first.key)
    assert queue.waiting("lane") + queue.waiting("other") == 2
    assert queue.waiting("unheard") == 0


async def test_the_urgent_overtakes_the_routine(queue: Queue) -> None:
    queue.add(key("routine"), "lane", Priority.RESYNC)
    queue.add(key("edited"), "lane", Priority.USER)
    assert (await queue.get()).key == key("edited")


async def test_a_queued_key_becomes_more_urgent_when_asked_again(queue: Queue) -> None:
    queue.add(key("a"), "lane", Priority.RETRY)
    queue.add(key("b"), "lane", Priority.RESYNC)
    queue.add(key("b"), "lane", Priority.USER)
    assert [(await queue.get()), (await queue.get())] == [
        (key("b"), Priority.USER),
        (key("a"), Priority.RETRY),
    ]
    queue.done(key("b"))
    assert await nothing_comes(queue)


async def test_a_key_that_changes_while_in_work_runs_again(queue: Queue) -> None:
    queue.add(key("a"), "lane", Priority.USER)
    await queue.get()
    queue.add(key("a"), "lane", Priority.USER)
    assert await nothing_comes(queue)
    queue.done(key("a"))
    assert (await queue.get()).key == key("a")


async def test_a_delayed_key_comes_when_its_time_has_come(queue: Queue) -> None:
    started = asyncio.get_running_loop().time()
    queue.add(key("a"), "lane", Priority.RETRY, delay=60)
    await queue.get()
    assert asyncio.get_running_loop().time() - started == pytest.approx(60, abs=0.1)


async def test_the_earliest_of_two_delays_counts(queue: Queue) -> None:
    started = asyncio.get_running_loop().time()
    queue.add(key("a"), "lane", Priority.RETRY, delay=60)
    queue.add(key("a"), "lane", Priority.RETRY, delay=5)
    queue.add(key("a"), "lane", Priority.RETRY, delay=90)
    await queue.get()
    assert asyncio.get_running_loop().time() - started == pytest.approx(5, abs=0.1)
    queue.done(key("a"))
    assert queue.delayed == 0


async def test_an_immediate_request_replaces_a_delayed_one(queue: Queue) -> None:
    queue.add(key("a"), "lane", Priority.RETRY, delay=60)
    queue.add(key("a"), "lane", Priority.USER)
    await queue.get()
    queue.done(key("a"))
    await asyncio.sleep(61)
    assert await nothing_comes(queue)


async def test_a_held_lane_lets_only_the_users_own_changes_pass(queue: Queue) -> None:
    queue.close("lane")
    queue.add(key("routine"), "lane", Priority.RESYNC)
    queue.add(key("edited"), "lane", Priority.USER)
    assert (await queue.get()).key == key("edited")
    assert await nothing_comes(queue)
    queue.open("lane")
    assert (await queue.get()).key == key("routine")


async def test_a_busy_lane_does_not_delay_another(queue: Queue) -> None:
    for name in "abc":
        queue.add(key(name), "slow", Priority.USER)
    await queue.get()
    await queue.get()
    queue.add(key("other"), "fast", Priority.RESYNC)
    assert (await queue.get()).key == key("other")
    assert await nothing_comes(queue)


async def test_no_more_keys_of_a_lane_are_in_work_than_the_limit_of_all() -> None:
    queue = Queue(limit=1, lane_limit=5)
    queue.add(key("a"), "lane", Priority.USER)
    queue.add(key("b"), "lane", Priority.USER)
    first = await queue.get()
    assert await nothing_comes(queue)
    queue.done(first.key)
    assert (await queue.get()).key == key("b")


async def test_a_lane_of_which_nothing_is_in_work_waits_for_no_other_lane() -> None:
    queue = Queue(limit=1, lane_limit=5)
    queue.add(key("a"), "slow", Priority.USER)
    await queue.get()
    queue.add(key("b"), "fast", Priority.RESYNC)
    queue.add(key("c"), "fast", Priority.RESYNC)
    assert (await queue.get()).key == key("b")
    assert await nothing_comes(queue)
    queue.done(key("b"))
    assert (await queue.get()).key == key("c")


async def test_a_forgotten_key_does_not_come(queue: Queue) -> None:
    queue.add(key("a"), "lane", Priority.USER)
    queue.add(key("b"), "lane", Priority.RETRY, delay=1)
    queue.forget(key("a"))
    queue.forget(key("b"))
    await asyncio.sleep(2)
    assert await nothing_comes(queue)


async def test_a_lane_that_is_not_needed_is_not_kept(queue: Queue) -> None:
    for number in range(50):
        queue.add(key(f"k{number}"), f"lane-{number}", Priority.USER)
        queue.done((await queue.get()).key)
    assert await nothing_comes(queue)
    assert queue.lanes == 0


async def test_a_held_lane_stays_held_while_it_is_empty(queue: Queue) -> None:
    queue.close("lane")
    assert await nothing_comes(queue)
    queue.add(key("a"), "lane", Priority.RETRY)
    assert await nothing_comes(queue)


async def test_a_paused_lane_waits_for_the_end_of_its_pause_and_no_other_does(queue: Queue) -> None:
    started = asyncio.get_running_loop().time()
    queue.pause("lane", 30)
    queue.pause("lane", 10)
    queue.open("lane")
    queue.add(key("a"), "lane", Priority.RETRY)
    queue.add(key("b"), "other", Priority.RETRY)
    assert (await queue.get()).key == key("b")
    assert asyncio.get_running_loop().time() == started
    assert (await queue.get()).key == key("a")
    assert asyncio.get_running_loop().time() - started == pytest.approx(30, abs=0.1)


async def test_it_is_known_for_how_long_a_key_has_been_worked_on(queue: Queue) -> None:
    assert queue.longest_running == 0
    queue.add(key("a"), "lane", Priority.USER)
    await queue.get()
    await asyncio.sleep(7)
    assert queue.longest_running == pytest.approx(7, abs=0.1)
    queue.done(key("a"))
    assert queue.longest_running == 0


async def test_a_cancelled_worker_passes_its_turn_on(queue: Queue) -> None:
    first, second = asyncio.create_task(queue.get()), asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add(key("a"), "lane", Priority.USER)
    first.cancel()
    assert (await second).key == key("a")


async def test_the_oldest_is_the_one_that_waits_for_a_worker_not_for_its_lane(queue: Queue) -> None:
    assert queue.oldest == 0
    queue.close("held")
    queue.add(key("waits"), "held", Priority.RESYNC)
    await asyncio.sleep(5)
    assert queue.oldest == 0
    queue.add(key("first"), "free", Priority.RESYNC)
    await asyncio.sleep(3)
    queue.add(key("second"), "free", Priority.USER)
    queue.add(key("first"), "free", Priority.USER)
    assert queue.oldest == pytest.approx(3)
    await queue.get()
    await queue.get()
    assert queue.oldest == 0
    queue.open("held")
    assert queue.oldest == pytest.approx(8)


async def test_it_is_known_whether_anything_of_a_lane_is_being_worked_on(queue: Queue) -> None:
    queue.add(key("one"), "lane", Priority.USER)
    assert not queue.runs("lane", key("self"))
    await queue.get()
    assert queue.runs("lane", key("self"))
    assert queue.runs("other", key("one"))
    assert not queue.runs("other", key("self"))
    queue.done(key("one"))
    assert not queue.runs("lane", key("self"))


@pytest.mark.looptime(enabled=False)
def test_a_time_that_has_come_already_is_no_fault_on_uvloop() -> None:
    async def main() -> Item:
        queue = Queue()
        queue.add(key("b"), "lane", Priority.RETRY, delay=1e-9)
        time.sleep(0.001)  # noqa: ASYNC251 - the loop itself must be late
        queue.add(key("c"), "lane", Priority.RETRY, delay=1e-9)
        queue.add(key("a"), "lane", Priority.RETRY, delay=1e-12)
        return await queue.get()

    assert uvloop.run(main()).key.name in {"a", "b", "c"}


async def test_what_is_added_anew_before_its_time_leaves_nothing_behind() -> None:
    queue = Queue()
    for _ in range(1000):
        queue.add(key("a"), "lane", Priority.RESYNC, 86_400)
        queue.add(key("a"), "lane", Priority.USER)
        queue.done((await queue.get()).key)
        await asyncio.sleep(1)
    assert len(queue._timers) <= MANY + 3


async def test_a_lane_resyncs_until_all_that_is_only_compared_has_had_its_turn(queue: Queue) -> None:
    queue.add(key("edited"), "lane", Priority.USER)
    assert not queue.resyncs("lane")
    queue.add(key("a"), "lane", Priority.RESYNC)
    queue.add(key("b"), "other", Priority.RESYNC)
    assert queue.resyncs("lane")
    queue.forget(key("a"))
    assert not queue.resyncs("lane")
    queue.add(key("c"), "lane", Priority.RESYNC)
    for _ in range(3):
        await queue.get()
    assert not queue.resyncs("lane")
    assert not queue.resyncs("unknown")
