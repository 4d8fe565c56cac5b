"""What the bench measures, each with the floor of the same run.

The floor is a bare script that sends the requests the operator must send, 32 at a time, without deciding anything.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from tools.bench.cluster import Cluster, each
from tools.kubernetes.control_plane import ControlPlane
from tools.operator_process import OperatorProcess

FLOOR: Final = "bench-floor"
OPERATED: Final = "bench"
EDITS: Final = 50


@dataclass
class Figures:
    """Seconds, unless the name says otherwise."""

    objects: int
    floor: float
    create: float
    create_to_floor: float
    writes_per_object_on_create: float
    edit_p50_ms: float
    edit_p99_ms: float
    restart: float
    writes_on_restart: int
    operator_memory_mib: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


async def floor(cluster: Cluster, count: int) -> float:
    """Create the object, put the finalizer on it, create the group, write the status."""

    async def one(number: int) -> None:
        name = f"floor-{number}"
        await cluster.create(FLOOR, name)
        await cluster.finalizer(FLOOR, name)
        await cluster.status(FLOOR, name, await cluster.create_group(name))

    started = time.perf_counter()
    await each(count, one)
    return time.perf_counter() - started


async def creation(cluster: Cluster, count: int) -> float:
    """From the first create to the last Ready."""
    started = time.perf_counter()
    waiting = asyncio.create_task(cluster.wait_until_ready(OPERATED, count))
    await each(count, lambda number: cluster.create(OPERATED, f"group-{number}"))
    await waiting
    return time.perf_counter() - started


async def edits(cluster: Cluster, count: int) -> list[float]:
    """From a spec's edit to its effect in Coder, one at a time, in milliseconds."""
    taken = []
    for number in range(min(EDITS, count)):
        name, wanted = f"group-{number}", f"Edit {number}"
        started = time.perf_counter()
        await cluster.edit(OPERATED, name, wanted)
        while await cluster.display_name(name) != wanted:
            await asyncio.sleep(0.002)
        taken.append((time.perf_counter() - started) * 1000)
    return taken


async def restart(cluster: Cluster, operator: OperatorProcess, count: int) -> tuple[float, int]:
    """From the start of a new process to every object compared; and how many objects it wrote."""
    operator.stop()
    before = await cluster.versions(OPERATED)
    started = time.perf_counter()
    operator.start()
    while reconciled(operator.metrics()) < count:
        await asyncio.sleep(0.1)
    taken = time.perf_counter() - started
    after = await cluster.versions(OPERATED)
    return taken, sum(1 for name, version in after.items() if before.get(name) != version)


def reconciled(metrics: str) -> float:
    prefix = 'coder_enterprise_reconciles_total{kind="CoderGroup"'
    return sum(float(line.rpartition(" ")[2]) for line in metrics.splitlines() if line.startswith(prefix))


def writes(audit_log: Path) -> Mapping[str, int]:
    """How often the operator has written to groups, by verb and subresource."""
    counted: Counter[str] = Counter()
    for line in audit_log.read_text().splitlines():
        entry = json.loads(line)
        reference = entry.get("objectRef", {})
        own = entry.get("userAgent", "").startswith("coder-enterprise-operator")
        if own and reference.get("resource") == "codergroups" and reference.get("namespace") == OPERATED:
            counted[f"{entry['verb']} {reference.get('subresource', 'object')}"] += 1
    return counted


def memory(pid: int) -> float:
    """Resident, in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("Linux always says VmRSS")


async def measure(plane: ControlPlane, cluster: Cluster, operator: OperatorProcess, count: int) -> Figures:
    bare = await floor(cluster, count)
    operator.start()
    plane.kubectl("wait", "-n", OPERATED, "--for=condition=Ready", "coderdeployment/coder", "--timeout=30s")
    created = await creation(cluster, count)
    written = sum(writes(plane.audit_log).values())
    taken = sorted(await edits(cluster, count))
    restarted, rewritten = await restart(cluster, operator, count)
    return Figures(
        objects=count,
        floor=bare,
        create=created,
        create_to_floor=created / bare,
        writes_per_object_on_create=written / count,
        edit_p50_ms=statistics.median(taken),
        edit_p99_ms=taken[int(len(taken) * 0.99)],
        restart=restarted,
        writes_on_restart=rewritten,
        operator_memory_mib=memory(operator.process.pid),
    )
