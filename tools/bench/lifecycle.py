"""Ends and beginnings: a restart among converged objects, a replica that is killed, and the deletion of everything."""

from __future__ import annotations

import asyncio
import time

from tools.bench.cluster import GROUPS, Cluster, each
from tools.bench.growth import QUIET, Figures, group_name, memory
from tools.bench.requests import mark, since
from tools.bench.stage import FLOOR, OPERATED, Stage
from tools.bench.usage import cpu_seconds


async def restart(stage: Stage, cluster: Cluster, count: int, idle_mib: float) -> Figures:
    """From the start of a new process to every object compared; and what it wrote."""
    if stage.operator.runs:
        stage.operator.stop()
    before, start = await cluster.versions(OPERATED), mark(stage)
    started = time.perf_counter()
    stage.operator.start(wait=False)
    while reconciled_by(stage) < count:
        await asyncio.sleep(0.25)
    taken, used = time.perf_counter() - started, cpu_seconds(stage.operator.process.pid)
    await asyncio.sleep(QUIET)
    after = await cluster.versions(OPERATED)
    return {
        "restart_seconds": taken,
        "restart_cpu_seconds": used,
        "restart_objects_written": sum(1 for name, version in after.items() if before.get(name) != version),
        "restart_changes": since(stage, start).changed,
        **memory(stage, count, idle_mib, "restart_"),
    }


async def failover(stage: Stage, cluster: Cluster) -> Figures:
    """A second replica runs, and the one that works is killed: until an edit is applied."""
    with stage.another_operator() as second:
        await asyncio.sleep(QUIET)
        working, other = (stage.operator, second) if held(stage.operator.metrics()) else (second, stage.operator)
        working.kill()
        started = time.perf_counter()
        await cluster.edit(OPERATED, group_name(0), "After the failover")
        while await cluster.display_name(group_name(0)) != "After the failover":
            await asyncio.sleep(0.05)
        taken = time.perf_counter() - started
        if other is second:
            second.stop()
            stage.operator.start()
            stage.connect()
    return {"failover_seconds": taken}


async def deletion(stage: Stage, cluster: Cluster, count: int, bare: int) -> Figures:
    """Of all objects, until nothing is left; beside the same by a bare script, of `bare` objects, for each object."""
    floor = await _bare_deletion(cluster, bare) if bare else 0.0
    pid, start = stage.operator.process.pid, mark(stage)
    used, started = cpu_seconds(pid), time.perf_counter()
    await each(count, lambda number: cluster.delete(OPERATED, GROUPS, group_name(number)))
    await cluster.wait_until_gone(OPERATED, GROUPS)
    taken, used = time.perf_counter() - started, cpu_seconds(pid) - used
    left = [name for name in await cluster.groups() if name.startswith("group-")]
    return {
        **({"deletion_floor_seconds": floor * count / bare} if bare else {}),
        "deletion_seconds": taken,
        "deletion_cpu_ms_per_object": used / count * 1000,
        "deletion_writes_per_object": since(stage, start).written / count,
        "deletion_left": len(left),
    }


async def _bare_deletion(cluster: Cluster, size: int) -> float:
    ids = {name: group["id"] for name, group in (await cluster.groups()).items()}

    async def one(number: int) -> None:
        name = f"floor-{number}"
        await cluster.delete(FLOOR, GROUPS, name)
        await cluster.delete_group(ids[name])
        await cluster.release(FLOOR, name)

    started = time.perf_counter()
    await each(size, one)
    return time.perf_counter() - started


def reconciled(metrics: str) -> float:
    """How many visits to groups there were."""
    prefix = 'coder_enterprise_reconciles_total{kind="CoderGroup"'
    return sum(float(line.rpartition(" ")[2]) for line in metrics.splitlines() if line.startswith(prefix))


def reconciled_by(stage: Stage) -> float:
    """None, while it does not answer yet."""
    try:
        return reconciled(stage.operator.metrics())
    except OSError:
        return 0.0


def held(metrics: str) -> int:
    """For how many CoderDeployments it works."""
    lines = [line for line in metrics.splitlines() if line.startswith("coder_enterprise_shards_held ")]
    return int(float(lines[0].split()[1])) if lines else 0
