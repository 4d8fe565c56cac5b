"""`/objects`: all objects, filtered, sorted and paged as the URL says, so that a link is all that a colleague needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import nlargest, nsmallest
from itertools import chain
from operator import attrgetter
from typing import Any, Final
from urllib.parse import urlencode

from aiohttp import web

from coder_enterprise.page.rows import Row, State, Table
from coder_enterprise.page.searches import typed
from coder_enterprise.page.shared import share
from coder_enterprise.page.sight import Sight
from coder_enterprise.page.site import SITE

PER_PAGE: Final = 100
MAX_CHOICES: Final = 200
"""In one filter, those with the most objects: the search finds what is not among them."""

routes = web.RouteTableDef()

Chosen = tuple[tuple[str, str], ...]
"""Facets and their values."""

_SINGLE: Final[dict[str, Callable[[Row], str]]] = {
    "state": attrgetter("state"),
    "kind": attrgetter("key.kind"),
    "namespace": attrgetter("key.namespace"),
    "deployment": attrgetter("deployment"),
    "reason": attrgetter("reason"),
}
FACETS: Final = tuple(_SINGLE)
"""What can be filtered by."""

SORTS: Final[dict[str, Callable[[Row], Any]]] = {
    "state": attrgetter("place", "key"),
    "name": attrgetter("key.name", "key"),
    "kind": attrgetter("key"),
    "namespace": attrgetter("key.namespace", "key.name", "key.kind"),
    "reason": attrgetter("reason", "key"),
    "since": attrgetter("since", "key"),
    "age": attrgetter("resource.created", "key"),
}


@dataclass(frozen=True)
class Query:
    """What the URL asks for. What it says that makes no sense is left out."""

    text: str = ""
    chosen: Chosen = ()
    sort: str = "state"
    falling: bool = False
    page: int = 1

    @classmethod
    def read(cls, request: web.Request) -> Query:
        asked = request.query
        sort, page = asked.get("sort", ""), asked.get("page", "")
        return cls(
            text=typed(request),
            chosen=tuple((name, asked[name]) for name in FACETS if asked.get(name)),
            sort=sort.removeprefix("-") if sort.removeprefix("-") in SORTS else "state",
            falling=sort.startswith("-"),
            page=int(page) if page.isdecimal() and len(page) < 7 else 1,
        )

    def value(self, facet: str) -> str:
        return dict(self.chosen).get(facet, "")

    def choosing(self, facet: str, value: str) -> str:
        """The URL with that facet so, or without it, and on its first page."""
        chosen = tuple(pair for pair in self.chosen if pair[0] != facet) + (((facet, value),) if value else ())
        return replace(self, chosen=chosen, page=1).url

    def sorted_by(self, sort: str) -> str:
        """The URL sorted so; the other way round where it is already."""
        return replace(self, sort=sort, falling=self.sort == sort and not self.falling, page=1).url

    @property
    def without_text(self) -> str:
        return replace(self, text="", page=1).url

    def at(self, page: int) -> str:
        return replace(self, page=page).url

    @property
    def url(self) -> str:
        asked = [("q", self.text)] if self.text else []
        asked += self.chosen
        if (self.sort, self.falling) != ("state", False):
            asked.append(("sort", "-" * self.falling + self.sort))
        if self.page > 1:
            asked.append(("page", str(self.page)))
        return f"/objects?{urlencode(asked)}" if asked else "/objects"


@dataclass(frozen=True)
class Found:
    rows: Sequence[Row]
    """Of this page."""
    total: int
    choices: dict[str, list[tuple[str, int]]]
    """Of each facet: its values, and how many objects that would be."""
    page: int
    pages: int

    @property
    def first(self) -> int:
        return (self.page - 1) * PER_PAGE + 1


@routes.get("/objects")
async def show(request: web.Request) -> web.Response:
    rows, query = request.app[SITE].rows, Query.read(request)
    await rows.ready()
    return await share(request, "objects.html", query, lambda see: _found(rows.table(), see, query))


def _found(table: Table, see: Sight, query: Query) -> dict[str, Any]:
    rows = [row for row in table.rows.values() if see.whole or see.sees(row.key)]
    return {"query": query, "found": find(rows, query), "states": tuple(State)}


def find(rows: Sequence[Row], query: Query) -> Found:
    if query.text:
        words = query.text.lower().split()
        rows = [row for row in rows if _has(row, words)]
    matching, nearly = _match(rows, query.chosen)
    counts = {name: Counter(_values(name, [*matching, *nearly.get(name, ())])) for name in FACETS}
    pages = max(1, -(-len(matching) // PER_PAGE))
    page = min(max(1, query.page), pages)
    return Found(
        rows=_page(matching, query, page),
        total=len(matching),
        choices={name: _choices(counts[name], query.value(name)) for name in FACETS},
        page=page,
        pages=pages,
    )


def _page(rows: Sequence[Row], query: Query, page: int) -> Sequence[Row]:
    """Where there are many others, only those before it are put in order."""
    key, last = SORTS[query.sort], page * PER_PAGE
    if 10 * last < len(rows):
        foremost = nlargest if query.falling else nsmallest
        return foremost(last, rows, key=key)[-PER_PAGE:]
    return sorted(rows, key=key, reverse=query.falling)[last - PER_PAGE : last]


def _has(row: Row, words: Iterable[str]) -> bool:
    text = f"{'/'.join(row.key)} {row.reason} {row.message} {row.resource.external_id or ''}".lower()
    return all(word in text for word in words)


def _match(rows: Iterable[Row], chosen: Chosen) -> tuple[list[Row], dict[str, list[Row]]]:
    """Those that are as chosen, and by facet those that are so but for that one."""
    matching, nearly = list[Row](), dict[str, list[Row]]()
    for row in rows:
        failed = [name for name, value in chosen if not _is(row, name, value)]
        if not failed:
            matching.append(row)
        elif len(failed) == 1:
            nearly.setdefault(failed[0], []).append(row)
    return matching, nearly


def _is(row: Row, facet: str, value: str) -> bool:
    return _SINGLE[facet](row) == value or (facet == "reason" and row.complaint == value)


def _values(facet: str, rows: Iterable[Row]) -> Iterator[str]:
    found = map(_SINGLE[facet], rows)
    return chain(found, (row.complaint for row in rows if row.complaint)) if facet == "reason" else found


def _choices(counted: Counter[str], chosen: str) -> list[tuple[str, int]]:
    """By name; the one that is chosen is always among them."""
    found = dict(counted.most_common(MAX_CHOICES))
    if chosen:
        found.setdefault(chosen, 0)
    return sorted(found.items())
