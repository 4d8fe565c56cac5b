"""The scenario `shared`: objects of ten CoderDeployments, each with a Coder of its own, shared by two replicas.

The objects are put there converged (`tools.bench.seeds`): what is measured is what each replica has of them.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any, Final

from tools.bench import seeds
from tools.bench.cluster import connected
from tools.bench.growth import QUIET
from tools.bench.lifecycle import held, reconciled
from tools.bench.requests import mark, since
from tools.bench.stage import Stage, stage
from tools.bench.usage import usage
from tools.operator_process import OperatorProcess

DEPLOYMENTS: Final = 10


def measure(count: int, seconds: float) -> dict[str, Any]:
    """Left at rest for so many seconds, if any."""
    with stage(DEPLOYMENTS) as made:
        return asyncio.run(_measure(made, count, seconds))


async def _measure(stage: Stage, count: int, seconds: float) -> dict[str, Any]:
    figures: dict[str, Any] = {"objects": count, "deployments": DEPLOYMENTS}
    async with connected(stage) as cluster:
        figures |= await seeds.settle(stage, cluster, count)
    start, started = mark(stage), time.perf_counter()
    print("… two replicas begin", file=sys.stderr)
    with stage.another_operator() as second:
        stage.operator.start(wait=False)
        both = (stage.operator, second)
        await _settled(both, count)
        figures["both_seconds"] = time.perf_counter() - started
        await asyncio.sleep(QUIET)
        figures["both_written"] = since(stage, start).written
        figures["shares"] = sorted(_held(replica) for replica in both)
        memory = sorted(usage(replica.process.pid).memory for replica in both)
        figures |= {"memory_smaller_mib": memory[0], "memory_larger_mib": memory[1]}
        if seconds:
            figures |= await _rest(stage, both, seconds)
        figures["takeover_seconds"] = await _takeover(both)
    return figures


async def _settled(replicas: tuple[OperatorProcess, ...], count: int) -> None:
    """Both have a share, and together they have compared all."""
    while not all(map(_held, replicas)) or sum(map(_held, replicas)) != DEPLOYMENTS:
        await asyncio.sleep(0.25)
    while sum(reconciled(_metrics(replica)) for replica in replicas) < count:
        await asyncio.sleep(0.25)


async def _takeover(both: tuple[OperatorProcess, ...]) -> float:
    """One is killed: until the other has compared what that one had, too."""
    lost, left = both
    before, objects = reconciled(_metrics(left)), reconciled(_metrics(lost))
    lost.kill()
    started = time.perf_counter()
    while _held(left) < DEPLOYMENTS or reconciled(_metrics(left)) < before + objects:
        await asyncio.sleep(0.25)
    return time.perf_counter() - started


async def _rest(stage: Stage, both: tuple[OperatorProcess, ...], seconds: float) -> dict[str, float]:
    start, before = mark(stage), sum(usage(replica.process.pid).cpu for replica in both)
    await asyncio.sleep(seconds)
    used, sent = sum(usage(replica.process.pid).cpu for replica in both) - before, since(stage, start)
    return {
        "rest_seconds": seconds,
        "rest_writes": sent.written,
        "rest_changes": sent.changed,
        "rest_cpu_percent": used / seconds * 100,
    }


def _held(replica: OperatorProcess) -> int:
    return held(_metrics(replica))


def _metrics(replica: OperatorProcess) -> str:
    """Nothing, while it does not answer yet."""
    try:
        return replica.metrics()
    except OSError:
        return ""
