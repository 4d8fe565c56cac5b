"""The scenario `hour`: so many converged CoderGroups, of which nobody wants anything, and then an outage of Coder."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from tools.bench import endurance, growth, lifecycle, seeds
from tools.bench.cluster import Cluster, connected
from tools.bench.stage import Stage, stage


def measure(count: int, rest: float, outage: float) -> dict[str, Any]:
    """At rest for `rest` seconds, and then with Coder away for `outage` seconds, each of which may be none."""
    with stage() as made:

        async def main() -> dict[str, Any]:
            async with connected(made) as cluster:
                return await _measure(made, cluster, count, rest, outage)

        return asyncio.run(main())


async def _measure(stage: Stage, cluster: Cluster, count: int, rest: float, outage: float) -> dict[str, Any]:
    figures: dict[str, Any] = {"objects": count, **await seeds.settle(stage, cluster, count)}
    idle = figures["idle_memory_mib"]
    figures |= await lifecycle.restart(stage, cluster, count, idle)
    if rest:
        print("… rest", file=sys.stderr)
        figures |= (await endurance.rest(stage, count, rest)).told()
    if outage:
        print("… outage", file=sys.stderr)
        figures |= await endurance.outage(stage, cluster, count, outage)
    return {**figures, **growth.memory(stage, count, idle, "end_")}
