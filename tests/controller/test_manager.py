"""The process: when it says that it is alive, and when that it is ready."""

from __future__ import annotations

import pytest

from coder_enterprise.controller.manager import Manager, ManagerSettings
from tests.support.engine import Cluster
from tests.support.leases import LeaseAPI, member
from tests.support.things import WorldDeploymentKind

pytestmark = pytest.mark.looptime


def manager() -> Manager:
    return Manager(ManagerSettings(), WorldDeploymentKind(), [])


async def test_it_is_ready_when_it_knows_everything_and_is_one_of_the_replicas(cluster: Cluster) -> None:
    process = manager()
    assert not process._is_ready()
    assert process._is_alive()
    await cluster.start()
    process._engine = cluster.engine
    process._membership = member(LeaseAPI())
    assert not process._is_ready()
    await process._membership.join()
    assert process._is_ready()
    cluster.engine.listed = False
    assert not process._is_ready()


async def test_a_replica_with_a_stuck_worker_is_not_alive(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    process = manager()
    await cluster.start()
    process._engine = cluster.engine
    assert process._is_alive()
    monkeypatch.setattr("coder_enterprise.controller.engine.STUCK_AFTER", 0.0)
    assert not process._is_alive()
