"""The process: when it says that it is alive, and when that it is ready."""

from __future__ import annotations

import asyncio
import os

import pytest

from coder_enterprise.cluster.paths import custom
from coder_enterprise.controller.manager import Manager, ManagerSettings
from coder_enterprise.controller.watch import Watch, WatchTimes
from coder_enterprise.controller.watches import SourceStuck, Watches
from tests.support.engine import Cluster
from tests.support.leases import LeaseAPI, member
from tests.support.things import WorldDeploymentKind

pytestmark = pytest.mark.looptime


async def look(*_: object) -> None:
    return


def manager(*watches: Watch) -> Manager:
    process = Manager(ManagerSettings(), WorldDeploymentKind(), [])
    process._watches = Watches(watches, lambda _: pytest.fail("no source is begun"), look, WatchTimes())
    return process


async def test_it_is_ready_when_it_knows_everything_and_is_one_of_the_replicas(cluster: Cluster) -> None:
    process = manager()
    assert process._why_not_ready()
    assert process._is_alive()
    await cluster.start()
    process._engine = cluster.engine
    process._membership = member(LeaseAPI())
    assert process._why_not_ready()
    await process._membership.join()
    assert not process._why_not_ready()
    cluster.engine._inventory.complete = False
    assert process._why_not_ready()


async def test_a_blind_replica_is_not_ready_but_alive_as_long_as_it_asks(cluster: Cluster) -> None:
    watch = Watch(custom("things"), None)
    process = manager(watch)
    await asyncio.sleep(WatchTimes().stuck + 1)
    assert process._is_alive(), "it has not begun to watch"
    assert process._watches is not None
    process._watches._started = True
    watch.heard()
    await cluster.start()
    process._engine = cluster.engine
    process._membership = member(LeaseAPI())
    await process._membership.join()
    assert process._why_not_ready()
    watch.served()
    assert not process._why_not_ready()
    await asyncio.sleep(WatchTimes().blind + 1)
    await process._membership.join()
    assert process._why_not_ready(), "no sign of life"
    watch.heard()
    assert not process._why_not_ready()
    watch.troubled("403")
    assert process._why_not_ready()
    await asyncio.sleep(WatchTimes().stuck - 1)
    assert process._is_alive()
    watch.asked()
    await asyncio.sleep(2)
    assert process._is_alive(), "the API server's silence is no fault of the process"
    await asyncio.sleep(WatchTimes().stuck)
    assert not process._is_alive(), "nobody asks any more"


async def test_a_replica_with_a_stuck_worker_is_not_alive(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    process = manager()
    await cluster.start()
    process._engine = cluster.engine
    assert process._is_alive()
    monkeypatch.setattr("coder_enterprise.controller.workers.STUCK_AFTER", 0.0)
    assert not process._is_alive()


async def test_a_watch_that_does_not_end_ends_the_process_by_force(monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []

    async def stuck(_: Manager) -> None:
        raise SourceStuck("the watch does not end")

    monkeypatch.setattr(Manager, "_run", stuck)
    monkeypatch.setattr(os, "_exit", codes.append)
    await manager().run()
    assert codes == [1]
