"""The scenario `peers`: our operator, and a naive one of the same run, with as many CoderGroups.

One after the other, on one control plane and one Coder. Requests at rest are those of an hour: of ours with a hurried
clock, of the naive one, which asks once a minute and object, from some minutes.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Any, Final

from tools.bench import endurance, growth, naive_operator
from tools.bench.cluster import GROUPS, Cluster, connected, each, group_body
from tools.bench.growth import QUIET, Figures
from tools.bench.requests import mark, since
from tools.bench.stage import Stage, stage
from tools.bench.usage import usage
from tools.processes import Process

NAIVE: Final = "bench-naive"
PROGRAM: Final = "kopf/"
"""How the user agent of the naive one begins."""


def measure(count: int, seconds: float) -> dict[str, Any]:
    """The naive one is left at rest for so many seconds."""
    with stage() as made:

        async def main() -> dict[str, Any]:
            async with connected(made) as cluster:
                bare = await growth.floor(cluster, range(count))
                ours = await _ours(made, cluster, count)
                naive = await _naive(made, cluster, count, seconds)
                return {"objects": count, "floor_seconds": bare, "ours": ours, "naive": naive}

        return asyncio.run(main())


async def _ours(stage: Stage, cluster: Cluster, count: int) -> Figures:
    stage.operator.start()
    stage.connect()
    idle = await growth.idle(stage)
    figures = {**idle, **await growth.creation(stage, cluster, count, idle["idle_memory_mib"])}
    print("… at rest", file=sys.stderr)
    before = usage(stage.operator.process.pid).cpu
    await asyncio.sleep(QUIET * 6)
    percent = (usage(stage.operator.process.pid).cpu - before) / (QUIET * 6) * 100
    still = await endurance.hurried_rest(stage, count)
    stage.operator.stop()
    return {**figures, **still.figures, "rest_cpu_percent": percent}


async def _naive(stage: Stage, cluster: Cluster, count: int, seconds: float) -> Figures:
    stage.plane.kubectl("create", "namespace", NAIVE)
    with _started(stage) as process:
        await asyncio.sleep(QUIET)
        before, start, started = usage(process.pid), mark(stage), time.perf_counter()
        waiting = asyncio.create_task(cluster.wait_until_ready(NAIVE, GROUPS, count))
        await each(count, lambda number: cluster.create(NAIVE, GROUPS, group_body(f"naive-{number}")))
        await waiting
        taken = time.perf_counter() - started
        await asyncio.sleep(QUIET)  # what it notes on the objects afterwards
        made, after = since(stage, start, PROGRAM), usage(process.pid)
        print("… the naive one at rest", file=sys.stderr)
        start = mark(stage)
        await asyncio.sleep(seconds)
        still, end = since(stage, start, PROGRAM), usage(process.pid)
    hours = seconds / endurance.HOUR
    sent = sum(still.kubernetes.values()), sum(still.coder.values())
    return {
        "create_seconds": taken,
        "cpu_ms_per_object": (after.cpu - before.cpu) / count * 1000,
        "writes_per_object": made.written / count,
        "memory_mib": after.memory,
        "kib_per_object": (after.memory - before.memory) * 1024 / count,
        "rest_seconds": seconds,
        "rest_writes": still.written,
        "rest_kubernetes_per_hour": sent[0] / hours,
        "rest_coder_per_hour": sent[1] / hours,
        "rest_per_object_hour": sum(sent) / hours / count,
        "rest_cpu_percent": (end.cpu - after.cpu) / seconds * 100,
    }


@contextlib.contextmanager
def _started(stage: Stage) -> Iterator[Process]:
    environment = {
        "KUBECONFIG": str(stage.plane.kubeconfig),
        naive_operator.URL: stage.coder.url,
        naive_operator.TOKEN: stage.coder.token,
        naive_operator.NAMESPACE: NAIVE,
    }
    command = [sys.executable, "-m", "tools.bench.naive_operator"]
    process = Process("the naive operator", command, stage.plane.folder / "naive.log", environment)
    try:
        yield process
    finally:
        process.stop()
