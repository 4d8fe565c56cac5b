"""`python -m tools.bench.soak MINUTES`: called by `make soak`. Does the operator grow under steady trouble?

Objects are edited, deleted and made anew, groups change behind its back, and Coder goes away every minute, while the
operator's memory, open files and connections are looked at. At the end all is left alone until it is quiet: then
everything must be as declared, and nothing may have grown. Fails if something has.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from tools.bench import results
from tools.bench.cluster import GROUPS, Cluster, connected, each, group_body
from tools.bench.stage import Stage, stage
from tools.bench.usage import usage
from tools.processes import run

SAMPLES: Final = 240
PAUSE: Final = 0.2
"""Seconds between two acts."""
OUTAGE_EVERY: Final = 60.0
OUTAGE: Final = 5.0
RESYNC: Final = "10s"
QUIET_WITHIN: Final = 120.0
MAX_SLOPE: Final = 6.0
"""MiB an hour, over the second half: what a Python process does without leaking. The journal is full after ten minutes:
of a shorter soak the slope is that of the journal."""
MAX_MORE: Final = 8
"""Files and connections more than at the beginning."""


@dataclass(frozen=True)
class Sample:
    minute: float
    memory: float
    """MiB, as of the server."""
    files: int
    connections: int
    server: float


@dataclass
class Outcome:
    samples: list[Sample] = field(default_factory=list)
    outages: list[tuple[float, float]] = field(default_factory=list)
    """From which minute to which."""
    acts: dict[str, int] = field(default_factory=lambda: {"edit": 0, "drift": 0, "replace": 0})
    wrong: list[str] = field(default_factory=list)
    """Groups that are not as declared at the end."""
    slope: float = 0.0
    """MiB an hour, over the second half of the samples."""

    @property
    def more_files(self) -> int:
        return self.samples[-1].files - self.samples[0].files

    @property
    def more_connections(self) -> int:
        return self.samples[-1].connections - self.samples[0].connections


class Soak:
    """Trouble for the groups of one namespace, whose CoderDeployment is Ready."""

    def __init__(self, stage: Stage, cluster: Cluster, count: int, *, seed: int = 1) -> None:
        self._stage = stage
        self._cluster = cluster
        self._count = count
        self._chance = random.Random(seed)  # noqa: S311
        self._declared: dict[str, str] = {}
        """Display names, by name."""
        self._started = 0.0
        self.outcome = Outcome()

    async def run(self, seconds: float, outage_every: float = OUTAGE_EVERY, outage: float = OUTAGE) -> Outcome:
        """For so long, and until each trouble has come once, however slow the machine is."""
        await self._cluster.patch(
            self._stage.namespace, "coderdeployments", "coder", {"spec": {"resyncInterval": RESYNC}}
        )
        await each(self._count, self._create)
        await self._until_quiet()
        self._started = time.monotonic()
        self._look()
        sampling = asyncio.create_task(self._sample(seconds / SAMPLES))
        end, next_outage = self._started + seconds, self._started + outage_every / 2
        try:
            while time.monotonic() < end or not (self.outcome.outages and all(self.outcome.acts.values())):
                if time.monotonic() > next_outage:
                    next_outage += outage_every
                    await self._outage(outage)
                await self._act()
                await asyncio.sleep(PAUSE)
        finally:
            sampling.cancel()
        self.outcome.wrong = await self._until_quiet()
        self._look()
        self.outcome.slope = slope(self.outcome.samples)
        return self.outcome

    async def _act(self) -> None:
        number = self._chance.randrange(self._count)
        acts: dict[str, Callable[[int], Awaitable[None]]] = {
            "edit": self._edit,
            "drift": self._drift,
            "replace": self._replace,
        }
        what = self._chance.choices(list(acts), (6, 3, 1))[0]
        await acts[what](number)
        self.outcome.acts[what] += 1

    async def _create(self, number: int) -> None:
        name = f"soak-{number}"
        await self._cluster.create(self._stage.namespace, GROUPS, group_body(name))
        self._declared[name] = "One"

    async def _edit(self, number: int) -> None:
        name, shown = f"soak-{number}", f"Edit {self._chance.randrange(10**6)}"
        await self._cluster.edit(self._stage.namespace, name, shown)
        self._declared[name] = shown

    async def _drift(self, number: int) -> None:
        found = await self._cluster.find_group(f"soak-{number}")
        if found is not None:
            await self._cluster.change_group(found["id"], display_name="Drifted")

    async def _replace(self, number: int) -> None:
        name = f"soak-{number}"
        await self._cluster.delete(self._stage.namespace, GROUPS, name)
        await self._cluster.wait_until_gone(self._stage.namespace, GROUPS, name)
        await self._create(number)

    async def _outage(self, seconds: float) -> None:
        begun = self._minute()
        self._stage.coder.stop()
        await asyncio.sleep(seconds)
        await asyncio.to_thread(self._stage.coder.start)
        self.outcome.outages.append((begun, self._minute()))

    async def _until_quiet(self) -> list[str]:
        """Until all is as declared, or for long enough: what is not."""
        deadline = time.monotonic() + QUIET_WITHIN
        while wrong := await self._wrong():
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(0.5)
        return wrong

    async def _wrong(self) -> list[str]:
        groups = await self._cluster.groups()
        shown = {name: group["display_name"] for name, group in groups.items() if name.startswith("soak-")}
        waiting = await self._cluster.not_ready(self._stage.namespace, GROUPS)
        differing = {name for name in {*shown, *self._declared} if shown.get(name) != self._declared.get(name)}
        return sorted(differing | waiting)

    async def _sample(self, interval: float) -> None:
        while True:
            await asyncio.sleep(max(1.0, interval))
            self._look()

    def _look(self) -> None:
        now = usage(self._stage.operator.process.pid)
        server = usage(self._stage.coder.process.pid).memory if self._stage.coder.runs else 0.0
        self.outcome.samples.append(Sample(self._minute(), now.memory, now.files, now.connections, server))

    def _minute(self) -> float:
        return (time.monotonic() - self._started) / 60


def slope(samples: Sequence[Sample]) -> float:
    """MiB an hour: the line through the second half that fits best."""
    half = samples[len(samples) // 2 :]
    middle = sum(sample.minute for sample in half) / len(half)
    mean = sum(sample.memory for sample in half) / len(half)
    spread = sum((sample.minute - middle) ** 2 for sample in half)
    if not spread:
        return 0.0
    return 60 * sum((sample.minute - middle) * (sample.memory - mean) for sample in half) / spread


def verdict(outcome: Outcome) -> list[str]:
    """What is wrong; nothing is well."""
    found = []
    if outcome.wrong:
        found.append(f"not as declared: {', '.join(outcome.wrong[:5])}")
    if outcome.slope > MAX_SLOPE:
        found.append(f"memory grows by {outcome.slope:.1f} MiB an hour")
    if max(outcome.more_files, outcome.more_connections) > MAX_MORE:
        found.append(f"{outcome.more_files} more files are open, and {outcome.more_connections} more connections")
    return found


def measure(count: int, seconds: float) -> Outcome:
    with stage() as made:
        made.operator.start()
        made.connect()

        async def main() -> Outcome:
            async with connected(made) as cluster:
                return await Soak(made, cluster, count).run(seconds)

        return asyncio.run(main())


def _minutes(text: str) -> float:
    minutes = float(text)
    if not 0 < minutes < math.inf:
        raise argparse.ArgumentTypeError(f"{text} minutes are no time to soak for")
    return minutes


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.bench.soak", description=__doc__)
    parser.add_argument("minutes", type=_minutes)
    parser.add_argument("--objects", type=int, default=300)
    arguments = parser.parse_args()
    outcome = measure(arguments.objects, arguments.minutes * 60)
    figures: dict[str, Any] = {"objects": arguments.objects, **asdict(outcome)}
    results.note("soak", f"make soak MINUTES={arguments.minutes:g}", 0, figures)
    first, last = outcome.samples[0], outcome.samples[-1]
    print(f"{arguments.minutes:g} minutes, {sum(outcome.acts.values())} acts, {len(outcome.outages)} outages")
    print(f"memory {first.memory:.0f} to {last.memory:.0f} MiB, {outcome.slope:+.1f} MiB an hour in the second half")
    print(f"files {first.files} to {last.files}, connections {first.connections} to {last.connections}")
    wrong = verdict(outcome)
    print("\n".join(wrong) or "nothing grows, and all is as declared")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(run(main))
