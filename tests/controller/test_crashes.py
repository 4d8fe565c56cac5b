"""The process may end before and after each call and each write: what starts next puts everything right."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import pytest

from tests.support.engine import Cluster
from tests.support.things import Killed

pytestmark = pytest.mark.looptime

POINTS: Final = 40
"""More than a life has; killed at one that it does not reach, it goes through without a crash."""


async def live(cluster: Cluster) -> bool:
    """Two objects come, one is renamed and goes; True when the operator lived to see it."""
    cluster.connect()
    cluster.thing("one", color="red")
    cluster.thing("kept", color="intended-blue")
    if not await survives(cluster, lambda: cluster.is_applied("one") and cluster.is_applied("kept")):
        return False
    cluster.thing("one", name="renamed", color="green")
    if not await survives(cluster, lambda: cluster.is_applied("one")):
        return False
    cluster.kubernetes.delete("things", "one")
    return await survives(cluster, lambda: cluster.body("things", "one") is None)


async def survives(cluster: Cluster, condition: Callable[[], bool]) -> bool:
    while not condition() and not cluster.died:
        await asyncio.sleep(0.05)
    return not cluster.died


async def finish(cluster: Cluster) -> None:
    """What the next process finds is applied or deleted, as it was left."""
    await cluster.until(lambda: cluster.is_applied("kept"), within=30)
    body = cluster.body("things", "one")
    if body is not None and "deletionTimestamp" not in body["metadata"]:
        await cluster.until(lambda: cluster.is_applied("one"), within=30)
        recorded = sorted(str(cluster.status("things", name)["id"]) for name in ("one", "kept"))
        assert sorted(cluster.coder.things) == recorded
        cluster.kubernetes.delete("things", "one")
    await cluster.until(lambda: cluster.body("things", "one") is None, within=30)


@pytest.mark.parametrize("point", range(POINTS))
async def test_a_crash_at_any_point_leaves_no_duplicate_no_leak_and_nothing_stuck(cluster: Cluster, point: int) -> None:
    cluster.points.kill_at = point
    await cluster.start()
    survived = await live(cluster)
    failure = await cluster.stop()
    assert isinstance(failure, Killed) is not survived
    await cluster.start()
    await finish(cluster)
    assert [(thing.name, thing.color) for thing in cluster.coder.things.values()] == [("kept", "intended-blue")]


async def test_a_life_has_a_point_around_each_call_and_each_write_and_all_of_them_are_tried(cluster: Cluster) -> None:
    await cluster.start()
    assert await live(cluster)
    passed = cluster.points.passed
    for step in (
        "things.create",
        "things.update",
        "things.delete",
        "patch things/one object",
        "patch things/one status",
    ):
        assert {f"before {step}", f"after {step}"} <= set(passed)
    assert len(passed) < POINTS
