"""`/journal`: what the operator changed in Coder, the newest first; of all, of a deployment, of an object, for a cause.

Whoever may list an object sees its entries. What an entry follows from is named only to whom may list that, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any, Final
from urllib.parse import urlencode

from aiohttp import web

from coder_enterprise.controller.journal import Entry
from coder_enterprise.controller.view import View
from coder_enterprise.kinds.machinery.causes import Cause
from coder_enterprise.kinds.machinery.resource import Key
from coder_enterprise.oncall.standing import moment
from coder_enterprise.page.searches import typed
from coder_enterprise.page.shared import share
from coder_enterprise.page.sight import Sight, seen_deployments
from coder_enterprise.page.site import SITE

PER_PAGE: Final = 100
OF_OBJECT: Final = 20
"""Entries that the page of an object shows."""

routes = web.RouteTableDef()


@dataclass(frozen=True)
class Shown:
    """An entry, as one viewer may see it."""

    entry: Entry
    because: Key | None
    """None also for what they may not list."""
    hidden: bool
    """It follows from an object that they may not list."""


@dataclass(frozen=True)
class Query:
    text: str = ""
    cause: str = ""
    deployment: str = ""
    """Namespace and name."""
    before: datetime | None = None
    """Only older entries; None is all. Not a number: those are of all entries, also of those that others may see."""

    @classmethod
    def read(cls, request: web.Request) -> Query:
        asked = request.query
        return cls(
            text=typed(request),
            cause=asked.get("cause", "") if asked.get("cause") in set(Cause) else "",
            deployment=typed(request, "deployment"),
            before=moment(asked.get("before", "")),
        )

    @property
    def narrowed(self) -> bool:
        return bool(self.text or self.cause or self.deployment)

    def of(self, cause: str) -> str:
        """The URL for that cause, or for all."""
        return replace(self, cause=cause, before=None).url

    def older_than(self, entry: Entry) -> str:
        return replace(self, before=entry.at).url

    @property
    def url(self) -> str:
        asked = {
            "q": self.text,
            "cause": self.cause,
            "deployment": self.deployment,
            "before": self.before.isoformat() if self.before else "",
        }
        given = {name: value for name, value in asked.items() if value}
        return f"/journal?{urlencode(given)}" if given else "/journal"

    def matches(self, entry: Entry) -> bool:
        if self.deployment and self.deployment != entry.deployment.namespaced_name:
            return False
        return not self.text or all(word in _text(entry) for word in self.text.lower().split())


def _text(entry: Entry) -> str:
    changes = (f"{change.path} {change.before or ''} {change.after or ''}" for change in entry.changes)
    return " ".join(("/".join(entry.key), entry.who, entry.note, *changes)).lower()


@routes.get("/journal")
async def show(request: web.Request) -> web.Response:
    view, query = request.app[SITE].view, Query.read(request)
    return await share(request, "journal.html", query, lambda see: _found(view, see, query))


def _found(view: View, see: Sight, query: Query) -> dict[str, Any]:
    seen = [entry for entry in view.journal.entries() if see.sees(entry.key) and query.matches(entry)]
    matching = _older(seen, query.before) if query.before else seen
    counted = Counter(entry.cause for entry in matching)
    found = [entry for entry in matching if query.cause in {"", entry.cause}]
    return {
        "query": query,
        "entries": [_shown(entry, see) for entry in found[:PER_PAGE]],
        "older": query.older_than(found[PER_PAGE - 1]) if len(found) > PER_PAGE else "",
        "counts": {cause: counted[cause] for cause in Cause},
        "total": len(matching),
        "deployments": _deployments(view, see),
        "elsewhere": _elsewhere(view, see),
    }


def _older(entries: Sequence[Entry], than: datetime) -> Sequence[Entry]:
    """What comes after the one of that time. While it is there the clock may have been set back since."""
    place = next((place for place, entry in enumerate(entries) if entry.at == than), None)
    return [entry for entry in entries if entry.at < than] if place is None else entries[place + 1 :]


def of_object(view: View, see: Sight, key: Key) -> Sequence[Shown]:
    """The newest entries of one object, for its own page."""
    return [_shown(entry, see) for entry in islice(view.journal.entries(key=key), OF_OBJECT)]


def _shown(entry: Entry, see: Sight) -> Shown:
    hidden = entry.because is not None and not see.sees(entry.because)
    return Shown(entry, None if hidden else entry.because, hidden)


def _deployments(view: View, see: Sight) -> list[str]:
    return list(_names(seen_deployments(view, see)))


def _elsewhere(view: View, see: Sight) -> list[str]:
    """Those whose journal another replica has."""
    return list(_names(key for key in seen_deployments(view, see) if not view.works_for(key)))


def _names(keys: Iterable[Key]) -> Iterator[str]:
    return (key.namespaced_name for key in keys)
