"""From what changes to who works on it: the watch, its gaps, and what wakes whom."""

from __future__ import annotations

import asyncio

import pytest

from coder_enterprise.controller import engine as engine_module
from coder_enterprise.controller.kubernetes import KubernetesError
from tests.support.engine import Cluster

pytestmark = pytest.mark.looptime


def asks(cluster: Cluster) -> int:
    return cluster.coder.count("ping")


async def begin(cluster: Cluster) -> None:
    """With one thing, applied and counted."""
    await cluster.begin()
    cluster.thing("one")
    await cluster.until(lambda: cluster.is_applied("one"))
    await asyncio.sleep(20)


async def test_what_exists_at_the_start_is_reconciled(cluster: Cluster) -> None:
    cluster.connect()
    for number in range(20):
        cluster.thing(f"t{number}")
    await cluster.start()
    assert cluster.engine.listed
    await cluster.until(lambda: all(cluster.is_applied(f"t{number}") for number in range(20)))


async def test_a_relist_of_what_is_known_makes_no_work(cluster: Cluster) -> None:
    await begin(cluster)
    calls, writes = list(cluster.coder.calls), list(cluster.kubernetes.writes)
    for (plural, _, _), body in list(cluster.kubernetes.objects.items()):
        cluster.engine.on_event(plural, None, body)
    await asyncio.sleep(1)
    assert (cluster.coder.calls, cluster.kubernetes.writes) == (calls, writes)


async def test_a_changed_secret_asks_the_deployments_that_use_it_and_no_other(cluster: Cluster) -> None:
    await begin(cluster)
    before = asks(cluster)
    cluster.kubernetes.put_secret("another", token="x")
    await asyncio.sleep(1)
    assert asks(cluster) == before
    cluster.kubernetes.put_secret("token", token="good")
    await asyncio.sleep(1)
    assert asks(cluster) == before + 1


async def test_what_vanished_unseen_is_swept_and_its_rival_takes_over(cluster: Cluster) -> None:
    await begin(cluster)
    cluster.thing("rival", name="one", adoptionPolicy="Adopt")
    await cluster.until(lambda: cluster.reason("rival") == "Conflict")
    del cluster.kubernetes.objects["things", "team", "one"]
    await asyncio.sleep(30)
    assert cluster.reason("rival") == "Conflict"
    await cluster.until(lambda: cluster.is_applied("rival"), within=engine_module.SWEEP_INTERVAL)


async def test_what_was_deleted_and_made_anew_unseen_is_reconciled_as_a_new_object(cluster: Cluster) -> None:
    await begin(cluster)
    first = cluster.status("things", "one")["id"]
    cluster.coder.things.clear()
    del cluster.kubernetes.objects["things", "team", "one"]
    cluster.thing("one")
    await cluster.until(lambda: cluster.is_applied("one"))
    assert cluster.status("things", "one")["id"] != first


async def test_a_sweep_that_fails_is_made_again(cluster: Cluster) -> None:
    await begin(cluster)
    unavailable = KubernetesError(0, "Unreachable", "no")
    cluster.kubernetes.fault = lambda verb, _: unavailable if verb == "list" else None
    await asyncio.sleep(engine_module.SWEEP_INTERVAL)
    assert not cluster.died
    cluster.kubernetes.fault = lambda *_: None
    del cluster.kubernetes.objects["things", "team", "one"]
    await asyncio.sleep(engine_module.SWEEP_INTERVAL)
    assert len(cluster.engine._store) == 1


async def test_a_status_that_somebody_wiped_is_written_again(cluster: Cluster) -> None:
    await begin(cluster)
    body = cluster.kubernetes.objects["things", "team", "one"]
    body["status"] = {"observedGeneration": -1, "conditions": []}
    cluster.kubernetes._store("things", body, "MODIFIED")
    await cluster.until(lambda: cluster.is_applied("one"))
    assert cluster.status("things", "one")["id"] in cluster.coder.things


async def test_a_stuck_worker_is_noticed(cluster: Cluster) -> None:
    await begin(cluster)
    cluster.coder.latency = 1e6
    cluster.thing("one", color="blue")
    await asyncio.sleep(engine_module.STUCK_AFTER - 10)
    assert cluster.engine.moves
    await asyncio.sleep(20)
    assert not cluster.engine.moves


async def test_what_is_in_work_is_finished_before_the_end(cluster: Cluster) -> None:
    await begin(cluster)
    cluster.coder.latency = 3.0
    cluster.thing("one", color="blue")
    await asyncio.sleep(0.5)
    await cluster.engine.drain()
    assert cluster.coder.count("things.update") == 1
    assert [thing.color for thing in cluster.coder.things.values()] == ["blue"]


async def test_the_end_does_not_wait_for_what_hangs(cluster: Cluster) -> None:
    await begin(cluster)
    cluster.coder.latency = 1e6
    cluster.thing("one", color="blue")
    await asyncio.sleep(0.5)
    started = asyncio.get_running_loop().time()
    await cluster.engine.drain()
    assert asyncio.get_running_loop().time() - started <= engine_module.DRAIN_TIMEOUT + 0.1
