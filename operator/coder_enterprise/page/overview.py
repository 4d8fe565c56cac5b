"""`/`: is Coder well? One card for each CoderDeployment, all objects by kind and state, and what is not well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from operator import attrgetter
from typing import Any, Final

from aiohttp import web

from coder_enterprise.controller.view import View
from coder_enterprise.kinds.machinery.resource import Key, Names
from coder_enterprise.page.bars import Segment, segments
from coder_enterprise.page.cards import cards
from coder_enterprise.page.jobs import Jobs, Work
from coder_enterprise.page.live import STREAMS
from coder_enterprise.page.rows import Group, Row, State, Table
from coder_enterprise.page.shared import share
from coder_enterprise.page.sight import Sight
from coder_enterprise.page.site import SITE, Site

SHOWN: Final = 8
"""Of what is not well; the rest is behind a link."""

JOBS: Final = web.AppKey("jobs", Jobs)

routes = web.RouteTableDef()


def set_up(app: web.Application, site: Site) -> None:
    """After the streams."""
    jobs = app[JOBS] = Jobs(site.view, app[STREAMS].looked_at)

    async def end(_: web.Application) -> None:
        await jobs.close()

    app.on_cleanup.append(end)


@dataclass(frozen=True)
class KindBar:
    names: Names
    total: int
    segments: Sequence[Segment]


@dataclass(frozen=True)
class Unwell:
    state: State
    rows: Sequence[Row]
    total: int


@routes.get("/")
async def show(request: web.Request) -> web.Response:
    site, jobs = request.app[SITE], request.app[JOBS]
    await site.rows.ready()
    return await share(request, "overview.html", (), lambda see: _found(site.view, site.rows.table(), jobs.of, see))


def _found(view: View, table: Table, jobs: Callable[[Key], Work | None], see: Sight) -> dict[str, Any]:
    rows = [row for row in table.notable.values() if see.sees(row.key)]
    tally = {group: count for group, count in table.tally.items() if see.shows(group.kind, group.namespace)}
    counted = Counter[State]()
    for group, count in tally.items():
        counted[group.state] += count
    return {
        "cards": cards(view, see, rows, tally, jobs),
        "kinds": _kinds(view.kinds, tally),
        "unwell": [_unwell(rows, state) for state in (State.STALLED, State.WAITING)],
        "complaining": _complaining(rows),
        "total": counted.total(),
        "namespaces": len({group.namespace for group in tally}),
        "counted": counted,
    }


def _kinds(kinds: Iterable[Names], tally: Mapping[Group, int]) -> list[KindBar]:
    counts: dict[str, Counter[State]] = {}
    for group, count in tally.items():
        counts.setdefault(group.kind, Counter())[group.state] += count
    return [
        KindBar(names, counts[names.kind].total(), segments(counts[names.kind], kind=names.kind))
        for names in kinds
        if names.kind in counts
    ]


def _unwell(rows: Iterable[Row], state: State) -> Unwell:
    found = [row for row in rows if row.state is state]
    return Unwell(state, nsmallest(SHOWN, found, key=attrgetter("key")), len(found))


def _complaining(rows: Iterable[Row]) -> list[Row]:
    return nsmallest(SHOWN, (row for row in rows if row.complaint), key=attrgetter("key"))
