"""The API server's part of docs/reference/scale.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from tools.bench.results import Results

_PLACES: Final = {
    "sqlite": "SQLite, one process",
    "postgresql_1": "PostgreSQL, one process",
    "postgresql_2": "PostgreSQL, two processes",
}
_LOADS: Final = {
    "healthz": "GET /healthz, for comparison",
    "read": "GET of a group with five members",
    "create": "POST of a group",
    "mixed": "mixed",
    "steady": "mixed, 300 a second",
}
_METHOD: Final = """\
32 connections, each with one request at a time, as fast as answers come; the last line of each database has a steady
300 requests a second instead. Of a hundred mixed requests 70 read a group, ten a user, five list users, ten change a
group and five make one. The client and PostgreSQL are on the same cores as the server, and PostgreSQL waits for no
disk.
"""


def server(results: Results) -> Iterator[str]:
    if found := results.get("server"):
        yield f"## The API server\n\n{_METHOD}\n{_loads(found['figures'])}\n"
    if found := results.get("cpu"):
        yield _cpu(found["figures"])


def _loads(figures: dict[str, Any]) -> str:
    lines = ["| database | requests | a second | p50 | p99 | CPU for each |", "| --- | --- | --- | --- | --- | --- |"]
    for place, title in _PLACES.items():
        for load, text in _LOADS.items():
            if one := figures.get(place, {}).get(load):
                times = f"{one['p50_ms']:.1f} ms | {one['p99_ms']:.1f} ms | {one['cpu_us']:,.0f} µs"
                lines.append(f"| {title} | {text} | {one['per_second']:,.0f} | {times} |")
    listed = figures.get("lists")
    told = f"\n\nA list of {listed['groups']:,.0f} groups takes {listed['seconds']:.2f} s." if listed else ""
    return "\n".join(lines) + told


def _cpu(figures: dict[str, Any]) -> str:
    lines = [
        f"| {what} | {cost['server']:,.0f} µs | {cost['bare']:,.0f} µs | {cost['ratio']:.2f} |"
        for what, cost in figures.items()
    ]
    head = ["| request | server | bare route | ratio |", "| --- | --- | --- | --- |"]
    text = "The bare route is Starlette and sqlite3 with the same rows and the same JSON, and nothing else."
    return "## The API server's CPU beside a bare route\n\n" + text + "\n\n" + "\n".join([*head, *lines]) + "\n"
