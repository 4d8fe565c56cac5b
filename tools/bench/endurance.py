"""What the bench measures over time: how still the operator is at rest, and how it takes an outage of Coder.

With all objects converged. Each takes as long as it is told to.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from tools.bench.cluster import Cluster
from tools.bench.measurements import OPERATED, memory, reconciled, writes
from tools.coder_api import CoderAPI
from tools.kubernetes.control_plane import ControlPlane
from tools.operator_process import OperatorProcess
from tools.server_process import CoderServer


@dataclass(frozen=True)
class Stillness:
    seconds: float
    kubernetes_writes: int
    coder_changes: int
    memory_before_mib: float
    memory_after_mib: float


@dataclass(frozen=True)
class Outage:
    seconds: float
    events: int
    """All of them, about the deployment and about its objects."""
    objects_written: int
    recovery_seconds: float
    """From Coder's return until every object has been compared."""


async def rest(plane: ControlPlane, coder: CoderServer, operator: OperatorProcess, seconds: float) -> Stillness:
    api = CoderAPI(coder.url, coder.token)
    try:
        changes, written, before = api.audit_count(), _written(plane), memory(operator.process.pid)
        await asyncio.sleep(seconds)
        return Stillness(
            seconds=seconds,
            kubernetes_writes=_written(plane) - written,
            coder_changes=api.audit_count() - changes,
            memory_before_mib=before,
            memory_after_mib=memory(operator.process.pid),
        )
    finally:
        api.close()


async def outage(
    plane: ControlPlane, cluster: Cluster, coder: CoderServer, operator: OperatorProcess, seconds: float
) -> Outage:
    before, events = await cluster.versions(OPERATED), _events(plane)
    coder.stop()
    await asyncio.sleep(seconds)
    told = _events(plane) - events
    after = await cluster.versions(OPERATED)
    compared = reconciled(operator.metrics())
    coder.start()
    started = time.perf_counter()
    while reconciled(operator.metrics()) < compared + len(after):
        await asyncio.sleep(0.1)
    return Outage(
        seconds=seconds,
        events=told,
        objects_written=sum(1 for name, version in after.items() if before[name] != version),
        recovery_seconds=time.perf_counter() - started,
    )


def _written(plane: ControlPlane) -> int:
    return sum(writes(plane.audit_log).values())


def _events(plane: ControlPlane) -> int:
    return len(plane.get("events.events.k8s.io", "-n", OPERATED)["items"])
