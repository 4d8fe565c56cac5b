"""The cards of the overview: what is to be said of each Coder at one glance. Pure functions of what is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

from coder_enterprise.controller.view import View
from coder_enterprise.kinds.machinery.connection import WELL, Part
from coder_enterprise.kinds.machinery.resource import Key
from coder_enterprise.oncall.overview import DeploymentLine, overview
from coder_enterprise.page.bars import Segment, segments
from coder_enterprise.page.jobs import Work
from coder_enterprise.page.rows import HEALTH, Group, Row, State
from coder_enterprise.page.sight import Sight
from coder_enterprise.page.strips import Strip, strip
from coder_enterprise.page.terms import Term, term

MAX_PROXIES: Final = 24


@dataclass(frozen=True)
class Proxy:
    name: str
    key: Key | None
    """Of the object that declares it, if one does."""
    health: str
    """As Coder found it, such as ok; "" where it does not tell."""
    trouble: str
    strip: Strip | None

    @property
    def state(self) -> str:
        return "ready" if self.health == WELL else "stalled" if self.health else ""


@dataclass(frozen=True)
class Card:
    row: Row
    line: DeploymentLine
    url: str
    term: Term | None
    waiting: int | None
    """Objects in the queue; None for who does not see all objects, and where another replica has it."""
    work: Work | None
    """What Coder's provisioners have to do."""
    segments: Sequence[Segment]
    strips: Sequence[tuple[str, Strip]]
    """Of what there is once, such as whether it answers."""
    proxies: Sequence[Proxy]
    more_proxies: int
    """Which they could see, too, and for which there is no room."""
    other_proxies: int
    """Which they may not see."""
    replicas: Sequence[Mapping[str, Any]]
    """Those with an error."""


def cards(
    view: View, see: Sight, rows: Iterable[Row], tally: Mapping[Group, int], jobs: Callable[[Key], Work | None]
) -> list[Card]:
    """Of those deployments that are among `rows`; what is not well comes first. `tally` are all objects, counted."""
    deployments: list[Row] = []
    told: dict[str, list[Row]] = {}
    for row in rows:
        if view.is_deployment(row.key):
            deployments.append(row)
        elif row.telling:
            told.setdefault(row.deployment, []).append(row)
    counts: dict[str, Counter[State]] = {}
    for group, count in tally.items():
        counts.setdefault(group.deployment, Counter())[group.state] += count
    lines = {line.standing.key: line for line in overview([row.resource for row in deployments], ()).deployments}
    return [
        _card(view, see, row, lines[row.key], told.get(row.deployment, ()), counts[row.deployment], jobs(row.key))
        for row in sorted(deployments, key=attrgetter("place", "key"))
    ]


def _card(
    view: View,
    see: Sight,
    row: Row,
    line: DeploymentLine,
    told: Sequence[Row],
    counts: Counter[State],
    work: Work | None,
) -> Card:
    """`told` are its objects whose status says something of the whole Coder."""
    status, history = row.resource.status, view.history
    strips = {part: strip(history.runs(row.key, part)) for part in history.parts(row.key)}
    proxies, others = _proxies([each for each in told if HEALTH in each.resource.status], strips, whole=see.whole)
    return Card(
        row=row,
        line=line,
        url=str(row.resource.spec.get("url", "")),
        term=term(status.get("license") or {}, [each.resource.status for each in told]),
        waiting=view.waiting(row.key) if see.whole else None,
        work=work,
        segments=segments(counts - Counter({row.state: 1}), deployment=row.deployment),
        strips=[(part.kind, found) for part, found in strips.items() if not part.name],
        proxies=proxies[:MAX_PROXIES],
        more_proxies=max(0, len(proxies) - MAX_PROXIES),
        other_proxies=others,
        replicas=[each for each in status.get("replicas") or () if each.get("error")],
    )


def _proxies(declared: Iterable[Row], strips: Mapping[Part, Strip], *, whole: bool) -> tuple[list[Proxy], int]:
    """Those that objects declare that the viewer sees, by name, and how many others Coder has. Who sees the `whole`
    sees those, too; for anybody else they may be what an object declares that they may not list."""
    known = {part.name: Proxy(part.name, None, each.now, "", each) for part, each in strips.items() if part.name}
    found = dict(known) if whole else {}
    for row in declared:
        name = str(row.resource.spec.get("name") or row.key.name)
        health = row.resource.status.get(HEALTH) or {}
        troubles = [*(health.get("errors") or ()), *(health.get("warnings") or ())]
        found[name] = Proxy(
            name=name,
            key=row.key,
            health=str(health.get("status") or ""),
            trouble=str(troubles[0]) if troubles else "",
            strip=known[name].strip if name in known else None,
        )
    return [found[name] for name in sorted(found)], len(known.keys() - found.keys())
