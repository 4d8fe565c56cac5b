"""The scenario `groups`: so many CoderGroups of one CoderDeployment, from nothing to nothing, with one operator."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

from tools.bench import changes, endurance, growth, lifecycle, seeds
from tools.bench.cluster import Cluster, connected
from tools.bench.growth import Figures
from tools.bench.stage import Stage, stage


@dataclass(frozen=True)
class Course:
    """What is done with the objects when they are there."""

    floor: bool = True
    """Measure the bare script as well."""
    deletion: bool = True
    """Delete all of them at the end."""
    seeded: bool = False
    """Objects, groups and what the operator would have written are put there by other means, which takes seconds."""
    hurried: bool = False
    """An hour of rest by a clock that runs faster."""


def measure(count: int, course: Course) -> dict[str, Any]:
    with stage() as made:

        async def main() -> dict[str, Any]:
            async with connected(made) as cluster:
                return await _measure(made, cluster, count, course)

        return asyncio.run(main())


async def _measure(stage: Stage, cluster: Cluster, count: int, course: Course) -> dict[str, Any]:
    figures: dict[str, Any] = {"objects": count}
    bare = count if course.floor and not course.seeded else min(count, changes.BURST)

    async def take(what: str, measured: Awaitable[Figures]) -> None:
        print(f"… {what}", file=sys.stderr)
        figures.update(await measured)

    async def bare_script(numbers: range) -> Figures:
        """One half before the operator's turn and one after it: a machine that others use is not the same for long."""
        return {"floor_seconds": figures.get("floor_seconds", 0.0) + await growth.floor(cluster, numbers)}

    await take("half a bare script", bare_script(range(bare // 2)))
    stage.operator.start()
    stage.connect()
    await take("idle", growth.idle(stage))
    idle = figures["idle_memory_mib"]
    if course.seeded:
        stage.operator.stop()
        await take("seeding", seeds.sow(stage, cluster, count))
    else:
        await take("creation", growth.creation(stage, cluster, count, idle))
    await take("its other half", bare_script(range(bare // 2, bare)))
    if bare == count:
        figures["create_to_floor"] = figures["create_seconds"] / figures["floor_seconds"]
    else:
        del figures["floor_seconds"]
    await take("restart", lifecycle.restart(stage, cluster, count, idle))
    await take("edits", changes.edits(cluster, count))
    await take("burst", changes.burst(stage, cluster, count))
    await take("drift", changes.drift(stage, cluster, count))
    await take("failover", lifecycle.failover(stage, cluster))
    if course.hurried:
        await take("rest", _hurried_rest(stage, count))
    figures |= growth.memory(stage, count, idle, "end_")
    if course.deletion:
        await take("deletion", lifecycle.deletion(stage, cluster, count, bare))
    return figures


async def _hurried_rest(stage: Stage, count: int) -> dict[str, Any]:
    return (await endurance.hurried_rest(stage, count)).told()
