"""The lines of `coder-enterprise status`: pure functions of what was found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final

from coder_enterprise.cli import screen

if TYPE_CHECKING:
    from coder_enterprise.oncall.chain import Section
    from coder_enterprise.oncall.overview import DeploymentLine, Overview
    from coder_enterprise.oncall.standing import Standing

SHOWN: Final = 20
"""Objects that are not ready; the others are counted: one screen stays one screen."""


def overview_lines(seen: Overview, now: datetime, limit: int | None = None) -> Iterator[str]:
    if not seen.deployments:
        yield "There is no CoderDeployment."
    else:
        yield from screen.table(_DEPLOYMENT_HEAD, (_deployment(each) for each in seen.deployments), limit=limit)
    yield ""
    head = ("KIND", "OBJECTS", "READY", "NOT READY", "SUSPENDED")
    rows = ((each.kind, each.total, each.ready, each.not_ready, each.suspended) for each in seen.kinds)
    yield from screen.table(head, ([str(cell) for cell in row] for row in rows))
    yield from _unwell("NOT READY", seen.not_ready, now, limit)
    yield from _unwell("READY, BUT", seen.complaints, now, limit)
    yield from _advice([*seen.not_ready[:SHOWN], *seen.complaints[:SHOWN]])


_DEPLOYMENT_HEAD: Final = (
    "DEPLOYMENT",
    "READY",
    "VERSION",
    "LICENCE DAYS",
    "REPLICAS",
    "PROXIES",
    "PROVISIONERS",
    "OBJECTS READY",
    "CIRCUIT",
)


def _deployment(line: DeploymentLine) -> tuple[str, ...]:
    return (
        line.standing.key.namespaced_name,
        line.standing.status,
        line.version,
        _number(line.license_days),
        line.replicas,
        line.proxies,
        _number(line.provisioners),
        line.objects,
        line.circuit,
    )


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _unwell(title: str, found: tuple[Standing, ...], now: datetime, limit: int | None) -> Iterator[str]:
    if not found:
        return
    yield ""
    head = (title, "CONDITION", "STATUS", "REASON", "SINCE", "MESSAGE")
    rows = (
        (_name(each), each.type, each.status, each.reason, screen.ago(each.since, now), each.message)
        for each in found[:SHOWN]
    )
    yield from screen.table(head, rows, limit=limit)
    if len(found) > SHOWN:
        yield f"… and {len(found) - SHOWN} more: coder-enterprise get --all-namespaces --ready False --ready Unknown"


def _name(each: Standing) -> str:
    return f"{each.key.kind.lower()}/{each.key.name} -n {each.key.namespace}"


def _advice(found: list[Standing]) -> Iterator[str]:
    known = {each.reason: each.advice for each in found if each.advice}
    if known:
        yield ""
        yield from screen.table(("REASON", "WHAT TO DO"), known.items())


def chain_lines(sections: list[Section], now: datetime) -> Iterator[str]:
    for number, section in enumerate(sections):
        if number:
            yield ""
        yield from _section(section, now)


def _section(section: Section, now: datetime) -> Iterator[str]:
    place = section.key.namespaced_name.removeprefix("/")
    yield screen.heading(screen.clean(f"{section.key.kind} {place}"))
    if section.trouble:
        yield f"  {screen.clean(section.trouble)}"
    yield from _indented(screen.pairs(section.facts))
    if section.conditions:
        head = ("CONDITION", "STATUS", "REASON", "SINCE", "MESSAGE")
        rows = ((c.type, c.status, c.reason, screen.ago(c.since, now), c.message) for c in section.conditions)
        yield from _indented(screen.table(head, rows))
    if section.pending:
        yield from _indented(["NOT APPLIED", *map(screen.clean, section.pending)])
    if section.events:
        events = ((screen.ago(e.at, now), "Warning" if e.warns else "Normal", e.reason, e.note) for e in section.events)
        yield from _indented(screen.table(("EVENT", "TYPE", "REASON", "NOTE"), events))
    if section.advice:
        yield f"  What to do: {section.advice}"


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)
