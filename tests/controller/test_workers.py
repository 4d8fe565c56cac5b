"""The workers leave others their turn, also where a visit waits for nothing."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from coder_enterprise.controller.queue import Priority, Queue
from coder_enterprise.controller.result import Result
from coder_enterprise.controller.workers import Workers
from coder_enterprise.kinds.machinery.resource import Key

COUNT = 5000


async def test_visits_that_wait_for_nothing_do_not_hold_the_event_loop() -> None:
    """A resync of very many objects did, until the replica's Lease was lost."""
    queue, visits = Queue(), 0

    async def reconcile(_: Any) -> Result:
        nonlocal visits
        visits += 1
        return Result()

    parts: Any = SimpleNamespace(
        get=lambda key: SimpleNamespace(key=key, uid=key.name),
        is_deployment=lambda _: False,
        succeeded=lambda _: None,
        reconcile=reconcile,
    )
    for number in range(COUNT):
        queue.add(Key("Thing", "team", str(number)), "lane", Priority.RESYNC)
    tasks = Workers(queue, parts, parts, parts, parts, parts, parts).start()
    turns = 0
    while visits < COUNT:
        turns += 1
        await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert turns > 5  # there are hundreds of workers, and each makes one visit in a turn
