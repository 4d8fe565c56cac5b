"""docs/reference/scale.md: what was measured, from docs/data/bench, which `python -m tools.bench keep` writes.

The figures are data, the words are here and in `tools.bench.words`; what is advised is computed from the figures.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from tools.bench import words
from tools.bench.chart import Curve, Panel, drawing
from tools.bench.results import Results, kept
from tools.generate.scale_advice import advice
from tools.generate.scale_server import server

Figures = Mapping[str, Any]

_INTRODUCTION: Final = """\
# Scale

Made by `make generate` from `docs/data/bench`, which `make bench` and `make soak` measured.

Everything ran on one machine: the API server with etcd, Coder's API as this project serves it, the operator, and the
script that measures. So seconds are upper bounds, and say little about another machine; ratios to a bare script of
the same run, CPU, memory and numbers of requests say more. The bare script sends, 32 at a time, just those requests
that the operator must send, and decides nothing. The objects of both are watched until they are Ready.
"""
_CAVEATS: Final = """\
## Caveats

- etcd waits for no disk here, and all connections are local: a real cluster adds its latency to each request, and the
  operator has 16 objects of a CoderDeployment in work at a time.
- A group here is small: no members, two conditions. An object with a thousand members takes as much more memory as
  its spec and status are larger.
- Objects that were "put there converged" came into etcd and into Coder's database directly, as from a backup, with
  what the operator would have written. Nothing was measured of their creation.
- An hour with a hurried clock is two minutes of the same operator whose event loop counts thirty seconds for each.
  What others time does not hurry: an API server ends each watch after half an hour to an hour, which a real hour has
  a request or two of, and that one has not.
- CPU, too, is more where others use the same cores and caches. Coder does the same for each group, however many there
  are, so that the operator's as a ratio to Coder's says whether it grows with their number.
- CPU at rest is that of a process of which nobody asks its metrics; each time costs some milliseconds.
- Load before is how many processes wanted a core before each measurement: with more than a few tenths, seconds are
  too high.
"""
_AT_WORK: Final = ("groups", "seeded")
_AT_REST: Final = ("groups", "hour")
_SECTIONS: Final = {
    "The operator, by the number of objects": (words.GROWTH, _AT_WORK),
    "Changes": (words.CHANGES, _AT_WORK),
    "Ends and beginnings": (words.LIFECYCLE, _AT_WORK),
    "At rest": (words.REST, _AT_REST),
    "An outage of Coder": (words.OUTAGE, _AT_REST),
}
"""Titles, with the rows of the table and the scenarios that are its columns."""
_NAIVE: Final = """\
The naive operator (`tools/bench/naive_operator.py`) is what a tutorial of Kopf leads to: handlers for creation, changes
and deletion, and a timer for each object that asks Coder once a minute."""


def scale() -> str:
    """The page."""
    results = kept()
    parts = [_INTRODUCTION, _method(results), *_operator(results), *_others(results), *server(results)]
    return "\n".join([*parts, advice(results), _CAVEATS])


def curves() -> str:
    """The picture of the soak."""
    found = kept().get("soak")
    if found is None:
        return drawing([0.0, 1.0], [Panel("nothing was measured", [])])
    samples = found["figures"]["samples"]
    minutes = [sample["minute"] for sample in samples]

    def curve(name: str, field: str) -> Curve:
        return Curve(name, [sample[field] for sample in samples])

    panels = [
        Panel(
            "Memory in MiB; grey: Coder is away", [curve("the operator", "memory"), curve("the API server", "server")]
        ),
        Panel("Open in the operator", [curve("files", "files"), curve("connections", "connections")]),
    ]
    return drawing(minutes, panels, found["figures"]["outages"])


def _method(results: Results) -> str:
    lines = [(f"`{result['command']}`", *map(str, _facts(result["machine"]))) for _, result in sorted(results.items())]
    return _section(
        "What was run", table(("command", "cores", "memory", "Python", "system", "on", "load before"), lines)
    )


def _facts(machine: Figures) -> tuple[Any, ...]:
    names = ("cores", "memory_gib", "python", "system", "date", "load_before")
    cores, memory, *rest = (machine[name] for name in names)
    return cores, f"{memory} GiB", *rest


def _operator(results: Results) -> Iterator[str]:
    for title, (rows, scenarios) in _SECTIONS.items():
        measured = [result["figures"] for name, result in sorted(results.items()) if name.startswith(scenarios)]
        if found := [figures for figures in measured if any(name in figures for name in rows)]:
            heads = [f"{figures['objects']:,} CoderGroups" for figures in found]
            yield _section(title, _compared(heads, found, rows))
    counted = [result["figures"] for name, result in sorted(results.items()) if name.startswith(_AT_REST)]
    for figures in [figures for figures in counted if "rest_requests" in figures][-1:]:
        yield _requests(f"Requests in an hour at rest, {figures['objects']:,} CoderGroups", figures)


def _others(results: Results) -> Iterator[str]:
    for name, result in sorted(results.items()):
        figures = result["figures"]
        if name.startswith("mix"):
            kinds = ", ".join(f"{count:,} {plural}" for plural, count in figures["kinds"].items())
            told = {**words.GROWTH, **words.LIFECYCLE, **words.REST}
            yield _section(f"All kinds: {figures['objects']:,} objects", f"{kinds}.\n\n{_plain(figures, told)}")
            yield _requests("Requests in an hour at rest, all kinds", figures)
        elif name.startswith("shared"):
            title = f"Two replicas: {figures['objects']:,} CoderGroups of {figures['deployments']} CoderDeployments"
            yield _section(title, _plain(figures, words.SHARED))
        elif name.startswith("peers"):
            yield _peers(figures)
    if found := results.get("memory"):
        yield _memory(found["figures"])
    if found := results.get("soak"):
        yield _soak(found)


def _peers(figures: Figures) -> str:
    rows = {**words.GROWTH, **words.REST}
    text = f"{_NAIVE} The bare script of the same run took {figures['floor_seconds']:.2f} s."
    return _section(
        f"Beside a naive operator: {figures['objects']:,} CoderGroups",
        f"{text}\n\n{_compared(('this operator', 'the naive one'), (figures['ours'], figures['naive']), rows)}",
    )


def _memory(figures: Figures) -> str:
    loaded = [(part, f"{size:.1f} MiB") for part, size in figures["imports_mib"].items()]
    each = [(part, f"{size:.2f} KiB") for part, size in figures["objects_kib"].items()]
    return _section(
        "Memory by part",
        f"{table(('what imports take', 'resident'), loaded)}\n\n{table(('what an object takes', 'allocated'), each)}",
    )


def _soak(result: Figures) -> str:
    figures = result["figures"]
    first, last = figures["samples"][0], figures["samples"][-1]
    text = (
        f"`{result['command']}`: {figures['objects']} groups, {sum(figures['acts'].values()):,} edits, changes behind "
        f"the operator's back and replacements, and {len(figures['outages'])} outages. Memory went from "
        f"{first['memory']:.0f} to {last['memory']:.0f} MiB, and by {figures['slope']:+.1f} MiB an hour in the second "
        f"half; open files from {first['files']} to {last['files']}, connections from {first['connections']} to "
        f"{last['connections']}. At the end {len(figures['wrong'])} groups were not as declared."
    )
    return _section("A soak", f"{text}\n\n![Memory, open files and connections over the soak](soak.svg)")


def _requests(title: str, figures: Figures) -> str:
    lines = [
        (server, f"`{what}`", f"{count:,.0f}")
        for server, counted in (("Kubernetes", "kubernetes"), ("Coder", "coder"))
        for what, count in figures["rest_requests"][counted].items()
    ]
    return _section(title, table(("to", "request", "in an hour"), lines))


def _plain(figures: Figures, told: Mapping[str, tuple[str, str]]) -> str:
    return table(("what", "measured"), words.rows(figures, told).items())


def _compared(heads: Sequence[str], found: Sequence[Figures], told: Mapping[str, tuple[str, str]]) -> str:
    lines = []
    for name, (text, form) in told.items():
        if any(name in figures for figures in found):
            lines.append((text, *(form.format(figures[name]) if name in figures else "" for figures in found)))
    return table(("what", *heads), lines)


def table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [heads, ["---"] * len(heads), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n{text}\n"
