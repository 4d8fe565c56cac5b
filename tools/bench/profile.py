"""The scenario `profile`: where the operator's CPU goes, while objects are created, when it begins anew, and at rest.

Shares of CPU time, which do not depend on how busy the machine is. The tables are printed, and kept in .cache.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Final

from tools.bench import growth, seeds
from tools.bench.cluster import Cluster, connected
from tools.bench.lifecycle import reconciled_by
from tools.bench.profiled import TABLE, ProfiledOperator
from tools.bench.results import RESULT
from tools.bench.stage import Stage, stage

RESYNCS: Final = 5


def measure(count: int, *, seeded: bool) -> None:
    with stage(program=ProfiledOperator) as made:

        async def main() -> None:
            async with connected(made) as cluster:
                if seeded:
                    await seeds.sow(made, cluster, count)
                else:
                    await _creation(made, cluster, count)
                await _restart(made, count)
                await _rest(made, cluster, count)

        asyncio.run(main())


async def _creation(stage: Stage, cluster: Cluster, count: int) -> None:
    _begin(stage, "creation", wait=True)
    stage.connect()
    await growth.creation(stage, cluster, count, 0)
    _end(stage)


async def _restart(stage: Stage, count: int) -> None:
    _begin(stage, "restart", wait=False)
    while reconciled_by(stage) < count:
        await asyncio.sleep(0.25)
    await asyncio.sleep(2 * growth.QUIET)  # the watches begin beside it
    _end(stage)


async def _rest(stage: Stage, cluster: Cluster, count: int) -> None:
    """With resyncs that follow each other closely, since they are what costs at rest."""
    await cluster.patch("bench", "coderdeployments", "coder", {"spec": {"resyncInterval": "5s"}})
    _begin(stage, "resyncs", wait=False)
    while reconciled_by(stage) < count * (1 + RESYNCS):
        await asyncio.sleep(0.25)
    _end(stage)


def _begin(stage: Stage, what: str, *, wait: bool) -> None:
    os.environ[TABLE] = str(_path(what))
    stage.operator.start(wait=wait)


def _end(stage: Stage) -> None:
    stage.operator.stop()
    path = Path(os.environ[TABLE])
    print(f"\n{path.stem}\n{path.read_text()}")


def _path(what: str) -> Path:
    return RESULT.with_name(f"profile-{what}.txt")
