"""The process: when it says that it is alive, and when that it is ready."""

from __future__ import annotations

from typing import cast

import pytest

from coder_enterprise.controller.kubernetes import KubernetesClient
from coder_enterprise.controller.leases import Elector
from coder_enterprise.controller.manager import Manager, ManagerSettings
from tests.support.engine import Cluster
from tests.support.things import WorldDeploymentKind

pytestmark = pytest.mark.looptime


def manager() -> Manager:
    return Manager(ManagerSettings(), WorldDeploymentKind(), [])


async def test_a_follower_is_ready_when_it_has_seen_who_leads() -> None:
    process = manager()
    assert not process._is_ready()
    process._elector = Elector(cast("KubernetesClient", None), "system", "lease", "us")
    assert not process._is_ready()
    process._elector.holder = "them"
    assert process._is_ready()
    assert process._is_alive()


async def test_a_leader_is_ready_when_it_knows_everything(cluster: Cluster) -> None:
    process = manager()
    await cluster.start()
    process._engine = cluster.engine
    assert process._is_ready()
    cluster.engine.listed = False
    assert not process._is_ready()


async def test_a_leader_with_a_stuck_worker_is_not_alive(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    process = manager()
    await cluster.start()
    process._engine = cluster.engine
    assert process._is_alive()
    monkeypatch.setattr("coder_enterprise.controller.engine.STUCK_AFTER", 0.0)
    assert not process._is_alive()
