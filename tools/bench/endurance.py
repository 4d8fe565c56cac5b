"""What the bench measures over time, with all objects converged: how still the operator is at rest, and how it takes an
outage of Coder.

Each takes as long as it is told to. An hour at rest also comes hurried (`tools.bench.hurried`): the same operator with
a clock that runs faster.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from tools.bench.cluster import Cluster
from tools.bench.growth import QUIET, Figures
from tools.bench.hurried import FACTOR, HurriedOperator
from tools.bench.lifecycle import reconciled
from tools.bench.requests import Requests, mark, since
from tools.bench.stage import OPERATED, Stage
from tools.bench.usage import usage

HOUR: Final = 3600.0
OPEN: Final = 'coder_enterprise_circuit_open{deployment="bench/coder"} 1.0'
"""How its metrics say that Coder does not answer."""


@dataclass(frozen=True)
class Stillness:
    figures: Figures
    requests: Requests

    def told(self) -> dict[str, Any]:
        """The figures, and the requests of an hour by server, verb and path."""
        hours = self.figures["rest_seconds"] / HOUR

        def hourly(counted: Counter[str]) -> dict[str, float]:
            return {what: round(count / hours, 1) for what, count in counted.most_common()}

        sent = {"kubernetes": hourly(self.requests.kubernetes), "coder": hourly(self.requests.coder)}
        return {**self.figures, "rest_requests": sent}


async def rest(stage: Stage, count: int, seconds: float) -> Stillness:
    """Nobody does anything for so long."""
    pid, start = stage.operator.process.pid, mark(stage)
    before = usage(pid)
    await asyncio.sleep(seconds)
    after, sent = usage(pid), since(stage, start)
    figures = {
        **_still(sent, count, seconds),
        "rest_cpu_percent": (after.cpu - before.cpu) / seconds * 100,
        "rest_memory_before_mib": before.memory,
        "rest_memory_after_mib": after.memory,
    }
    return Stillness(figures, sent)


async def hurried_rest(stage: Stage, count: int, seconds: float = HOUR) -> Stillness:
    """As many seconds of an operator whose clock runs faster; the other one is stopped meanwhile."""
    stage.operator.stop()
    try:
        with HurriedOperator(stage.plane.kubeconfig, stage.plane.folder / "hurried.log", OPERATED) as hurried:
            while reconciled(hurried.metrics()) < count:
                await asyncio.sleep(0.25)
            await asyncio.sleep(QUIET)
            start = mark(stage)
            await asyncio.sleep(seconds / FACTOR)
            sent = since(stage, start)
            hurried.stop()
    finally:
        stage.operator.start()
    return Stillness({**_still(sent, count, seconds), "rest_hurried": FACTOR}, sent)


def _still(sent: Requests, count: int, seconds: float) -> dict[str, float]:
    hours = seconds / HOUR
    return {
        "rest_seconds": seconds,
        "rest_writes": sent.written,
        "rest_changes": sent.changed,
        "rest_kubernetes_per_hour": sum(sent.kubernetes.values()) / hours,
        "rest_coder_per_hour": sum(sent.coder.values()) / hours,
        "rest_per_object_hour": (sum(sent.kubernetes.values()) + sum(sent.coder.values())) / hours / count,
    }


async def outage(stage: Stage, cluster: Cluster, count: int, seconds: float) -> Figures:
    """Coder is stopped, and so long after the operator has noticed, started again; then until every object has been
    compared."""
    before, events, start = await cluster.versions(OPERATED), _events(stage), mark(stage)
    stage.coder.stop()
    while OPEN not in stage.operator.metrics():
        await asyncio.sleep(0.5)
    await asyncio.sleep(seconds)
    told = _events(stage) - events
    after = await cluster.versions(OPERATED)
    compared = reconciled(stage.operator.metrics())
    stage.coder.start()
    started = time.perf_counter()
    while reconciled(stage.operator.metrics()) < compared + count:
        await asyncio.sleep(0.1)
    taken = time.perf_counter() - started
    return {
        "outage_seconds": seconds,
        "outage_events": told,
        "outage_objects_written": sum(1 for name, version in after.items() if before[name] != version),
        "outage_writes": since(stage, start).written,
        "outage_recovery_seconds": taken,
    }


def _events(stage: Stage) -> int:
    items: list[Any] = stage.plane.get("events.events.k8s.io", "-n", OPERATED)["items"]
    return len(items)
