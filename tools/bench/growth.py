"""How the operator takes many objects at once: time beside the floor of the same run, CPU, memory and writes.

The floor is a bare script that sends the requests the operator must send, 32 at a time, without deciding anything. The
bench looks by a watch when all are Ready, which costs the API server as much as any other: so it does of the script's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from tools.bench.cluster import GROUPS, Cluster, each, group_body
from tools.bench.requests import mark, since
from tools.bench.stage import FLOOR, OPERATED, Stage, deployment_name
from tools.bench.usage import cpu_seconds, usage

Figures = Mapping[str, float]
"""By the names that `tools.bench.words` has words for."""
QUIET: float = 5.0
"""Seconds after which what follows a burst is over: counts of objects, and what the allocator gives back."""


def group_name(number: int) -> str:
    return f"group-{number}"


async def floor(cluster: Cluster, numbers: range) -> float:
    """Seconds to create each object, put the finalizer on it, create the group, and write the status; the objects
    before these are there."""

    async def one(number: int) -> None:
        name = f"floor-{numbers.start + number}"
        await cluster.create(FLOOR, GROUPS, group_body(name))
        await cluster.finalizer(FLOOR, name)
        await cluster.status(FLOOR, name, await cluster.create_group(name))

    started = time.perf_counter()
    waiting = asyncio.create_task(cluster.wait_until_ready(FLOOR, GROUPS, numbers.stop))
    await each(len(numbers), one)
    await waiting
    return time.perf_counter() - started


async def idle(stage: Stage) -> Figures:
    """The operator, connected, with nothing to do."""
    await asyncio.sleep(QUIET)
    now = usage(stage.operator.process.pid)
    return {"idle_memory_mib": now.memory, "idle_files": now.files, "idle_connections": now.connections}


async def creation(stage: Stage, cluster: Cluster, count: int, idle_mib: float) -> Figures:
    """From the first create to the last Ready. Of several CoderDeployments each has as many."""
    pid, others = stage.operator.process.pid, _others(stage)
    start, used, theirs = mark(stage), cpu_seconds(pid), {name: cpu_seconds(other) for name, other in others.items()}
    started = time.perf_counter()
    waiting = asyncio.create_task(cluster.wait_until_ready(OPERATED, GROUPS, count))
    await each(count, lambda number: cluster.create(OPERATED, GROUPS, _body(stage, number)))
    await waiting
    taken = time.perf_counter() - started
    used = cpu_seconds(pid) - used
    spent = {f"cpu_ms_per_object_{name}": (cpu_seconds(other) - theirs[name]) / count * 1000
             for name, other in others.items()}  # fmt: skip
    sent = since(stage, start)
    await asyncio.sleep(QUIET)
    return {
        "create_seconds": taken,
        "cpu_ms_per_object": used / count * 1000,
        **spent,
        "cpu_to_coder": used / count * 1000 / spent["cpu_ms_per_object_coder"],
        "writes_per_object": sent.written / count,
        "changes_per_object": _made(sent.coder) / count,
        **memory(stage, count, idle_mib),
    }


def memory(stage: Stage, count: int, idle_mib: float, prefix: str = "") -> Figures:
    """What the operator has now, and what an object takes of it."""
    now = usage(stage.operator.process.pid)
    return {
        f"{prefix}memory_mib": now.memory,
        f"{prefix}peak_mib": now.peak,
        f"{prefix}kib_per_object": (now.memory - idle_mib) * 1024 / count,
    }


def _body(stage: Stage, number: int) -> Mapping[str, object]:
    coder = number % len(stage.coders)
    return group_body(group_name(number), deployment_name(coder) if coder else "")


def _others(stage: Stage) -> dict[str, int]:
    return {"apiserver": stage.plane.pids["kube-apiserver"], "coder": stage.coder.process.pid}


def _made(coder: Mapping[str, int]) -> int:
    return sum(count for what, count in coder.items() if what.startswith("POST") and what.endswith("/groups"))
