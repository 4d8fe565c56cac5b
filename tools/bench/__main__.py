"""`python -m tools.bench [SCENARIO]`: called by `make bench`. Tables on the terminal, JSON in .cache/bench.json.

Without a scenario it is `groups`, `cpu` and `server`. `keep` has the documentation tell what was measured last.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from tools.bench import groups, hour, memory, mix, peers, profile, ratios, results, server, shared, words
from tools.bench.endurance import HOUR
from tools.bench.groups import Course
from tools.bench.stage import ROOT
from tools.bench.words import rows
from tools.processes import run

PEERS_REST: Final = 120.0
FEWEST: Final = 10
Arguments = argparse.Namespace


def run_groups(arguments: Arguments) -> None:
    course = Course(
        floor=not arguments.no_floor,
        deletion=not arguments.no_deletion,
        seeded=arguments.seeded,
        hurried=arguments.hurried,
    )
    for count in arguments.objects:
        name = f"{'seeded' if arguments.seeded else 'groups'}-{count:06}"
        figures = note(name, partial(groups.measure, count, course))
        show(f"{count:,} CoderGroups, everything on this machine", rows(figures))


def run_hour(arguments: Arguments) -> None:
    for count in arguments.objects:
        rest = HOUR if arguments.rest is None else arguments.rest
        figures = note(f"hour-{count:06}", partial(hour.measure, count, rest, arguments.outage))
        show(f"{count:,} CoderGroups at rest", rows(figures))


def run_mix(arguments: Arguments) -> None:
    for count in arguments.objects:
        figures = note(f"mix-{count:06}", partial(mix.measure, count))
        show(f"{count:,} objects of all kinds", rows(figures))


def run_shared(arguments: Arguments) -> None:
    for count in arguments.objects:
        figures = note(f"shared-{count:06}", partial(shared.measure, count, arguments.rest or 0))
        show(f"{count:,} CoderGroups of ten CoderDeployments, two replicas", rows(figures, words.SHARED))


def run_peers(arguments: Arguments) -> None:
    for count in arguments.objects:
        figures = note(f"peers-{count:06}", partial(peers.measure, count, arguments.rest or PEERS_REST))
        for who in ("ours", "naive"):
            show(f"{count:,} CoderGroups, {who}", rows(figures[who]))


def run_server(arguments: Arguments) -> None:
    seconds = 1.0 if arguments.quick else 5.0
    for name, load in note("server", lambda: server.measure(seconds)).items():
        show(f"The API server, {name}", server.rows(load))


def run_cpu(arguments: Arguments) -> None:
    effort = ratios.QUICK if arguments.quick else ratios.Effort()
    figures = note("cpu", lambda: {cost.what: asdict(cost) for cost in ratios.measure(effort)})
    lines = {
        what: f"{cost['ratio']:.2f} ({cost['server']:,.0f} to {cost['bare']:,.0f} µs)" for what, cost in figures.items()
    }
    show("The API server's CPU for a request, as a ratio to bare Starlette and sqlite3", lines)


def run_memory(_: Arguments) -> None:
    figures = note("memory", lambda: {"imports_mib": memory.imports(), "objects_kib": memory.objects()})
    show("What imports take", {part: f"{size:.2f} MiB" for part, size in figures["imports_mib"].items()})
    show("What an object takes", {part: f"{size:.2f} KiB" for part, size in figures["objects_kib"].items()})


def run_profile(arguments: Arguments) -> None:
    for count in arguments.objects:
        profile.measure(count, seeded=arguments.seeded)


def note(name: str, measure: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    load = os.getloadavg()[0]
    figures = measure()
    results.note(name, f"make bench ARGS={shlex.quote(shlex.join(sys.argv[1:]))}", load, figures)
    return figures


def show(title: str, lines: Mapping[str, str]) -> None:
    table = Table(title=title)
    table.add_column("what")
    table.add_column("measured", justify="right")
    for what, value in lines.items():
        table.add_row(what, value)
    Console().print(table)


def run_keep(_: Arguments) -> None:
    for path in results.keep():
        print(path.relative_to(ROOT))
    print("Now make generate, and look at docs/reference/scale.md")


SCENARIOS: Final[dict[str, Callable[[Arguments], None]]] = {
    "groups": run_groups,
    "hour": run_hour,
    "mix": run_mix,
    "shared": run_shared,
    "peers": run_peers,
    "server": run_server,
    "cpu": run_cpu,
    "memory": run_memory,
    "profile": run_profile,
    "keep": run_keep,
}


def _count(text: str) -> int:
    count = int(text)
    if count < FEWEST:
        raise argparse.ArgumentTypeError(f"{count} objects are too few to measure: {FEWEST} or more")
    return count


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("scenario", nargs="*", choices=[[], *SCENARIOS], help="what to measure")
    parser.add_argument("--objects", type=_count, nargs="+", default=[1000], help="how many (default: 1000)")
    parser.add_argument("--no-floor", action="store_true", help="without the bare script")
    parser.add_argument("--no-deletion", action="store_true", help="without deleting everything at the end")
    parser.add_argument("--seeded", action="store_true", help="put converged objects there, without the operator")
    parser.add_argument("--rest", type=float, help="seconds at rest (`hour`: 3600)")
    parser.add_argument("--hurried", action="store_true", help="an hour at rest by a clock that runs faster")
    parser.add_argument("--outage", type=float, default=600, help="seconds without Coder, of `hour`")
    parser.add_argument("--quick", action="store_true", help="the server's figures from fewer requests")
    arguments = parser.parse_args()
    for name in arguments.scenario or ["groups", "cpu", "server"]:
        SCENARIOS[name](arguments)
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
