"""What the operator does about changes: edits one by one, a thousand at once, and what others changed in Coder."""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import Final

from tools.bench.cluster import GROUPS, Cluster, each
from tools.bench.growth import Figures, group_name
from tools.bench.requests import mark, since
from tools.bench.stage import FLOOR, OPERATED, Stage
from tools.bench.usage import cpu_seconds

EDITS: Final = 200
BURST: Final = 1000
SHORT: Final = "5s"
"""The shortest resync that there is: drift is found when the lists are read again."""


async def edits(cluster: Cluster, count: int) -> Figures:
    """From a spec's edit to its effect in Coder, one at a time."""
    taken = []
    for number in range(min(EDITS, count)):
        name, wanted = group_name(number), f"Edit {number}"
        started = time.perf_counter()
        await cluster.edit(OPERATED, name, wanted)
        while await cluster.display_name(name) != wanted:
            await asyncio.sleep(0.002)
        taken.append((time.perf_counter() - started) * 1000)
    taken.sort()
    return {"edit_p50_ms": statistics.median(taken), "edit_p99_ms": taken[int(len(taken) * 0.99)]}


async def burst(stage: Stage, cluster: Cluster, count: int) -> Figures:
    """A thousand edits at once, to the last one Ready; beside the same by a bare script."""
    size, pid = min(BURST, count), stage.operator.process.pid
    bare = await _bare_burst(cluster, size)
    start, used, started = mark(stage), cpu_seconds(pid), time.perf_counter()
    waiting = asyncio.create_task(cluster.wait_until_ready(OPERATED, GROUPS, size, "Burst"))
    await each(size, lambda number: cluster.edit(OPERATED, group_name(number), "Burst"))
    await waiting
    return {
        "burst_objects": size,
        "burst_floor_seconds": bare,
        "burst_seconds": time.perf_counter() - started,
        "burst_cpu_ms_per_object": (cpu_seconds(pid) - used) / size * 1000,
        "burst_writes_per_object": since(stage, start).written / size,
    }


async def _bare_burst(cluster: Cluster, size: int) -> float:
    ids = {name: group["id"] for name, group in (await cluster.groups()).items()}

    async def one(number: int) -> None:
        name = f"floor-{number}"
        await cluster.edit(FLOOR, name, "Burst")
        await cluster.change_group(ids[name], display_name="Burst")
        await cluster.status(FLOOR, name, ids[name])

    started = time.perf_counter()
    await each(size, one)
    return time.perf_counter() - started


async def drift(stage: Stage, cluster: Cluster, count: int) -> Figures:
    """A thousand groups are changed in Coder; from the next resync, which is at most five seconds away, until all of
    them are as declared."""
    size, groups = min(BURST, count), await cluster.groups()
    names = [group_name(number) for number in range(size)]
    await each(size, lambda number: cluster.change_group(groups[names[number]]["id"], quota_allowance=7))
    pid = stage.operator.process.pid
    start, used, started = mark(stage), cpu_seconds(pid), time.perf_counter()
    await cluster.patch(OPERATED, "coderdeployments", "coder", {"spec": {"resyncInterval": SHORT}})
    while since(stage, start).changed < size:
        await asyncio.sleep(0.1)
    taken = time.perf_counter() - started
    used = cpu_seconds(pid) - used
    await cluster.patch(OPERATED, "coderdeployments", "coder", {"spec": {"resyncInterval": None}})
    after = await cluster.groups()
    wrong = sum(1 for name in names if after[name]["quota_allowance"] != 1)
    return {"drift_objects": size, "drift_seconds": taken, "drift_cpu_seconds": used, "drift_left": wrong}
