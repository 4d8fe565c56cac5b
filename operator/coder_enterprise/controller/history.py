"""How each Coder was over the last hours: whether it answered, its replicas, its workspace proxies. In memory alone.

Fed by the reconciler of deployments with what its probe found; read by the page. Kept are the moments at which
something changed: what stays as it is costs nothing. What nobody asked, such as while another replica works for the
deployment, is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from sys import intern
from typing import Final, NamedTuple

from coder_enterprise.kinds.machinery import moments
from coder_enterprise.kinds.machinery.connection import Part
from coder_enterprise.kinds.machinery.resource import Key

KEPT: Final = timedelta(hours=12)
SILENCE: Final = timedelta(minutes=7)
"""After so long without an answer to `note`, nobody knows how it was meanwhile: a token that is refused is tried again
every five minutes."""
MAX_RUNS: Final = 240
"""Of one part: of one that changes all the time, the newest."""
MAX_PARTS: Final = 128
"""Of one deployment."""
UNKNOWN: Final = ""


class Run(NamedTuple):
    """A time in which nothing changed."""

    state: str
    """As it was noted; "" where nobody knows."""
    since: datetime
    until: datetime


class _Began(NamedTuple):
    state: str
    at: datetime


class _Deployment:
    def __init__(self) -> None:
        self.parts: dict[Part, list[_Began]] = {}
        self.seen_at = datetime.min.replace(tzinfo=moments.present().tzinfo)


class History:
    def __init__(self) -> None:
        self._deployments: dict[Key, _Deployment] = {}

    def note(self, deployment: Key, states: Mapping[Part, str]) -> None:
        """How its parts are now; one that is not among `states` is unknown."""
        now = moments.present()
        known = self._deployments.setdefault(deployment, _Deployment())
        if now - known.seen_at > SILENCE:
            for part in known.parts:
                _begin(known.parts[part], UNKNOWN, known.seen_at)
        for part in [*known.parts, *(part for part in states if part not in known.parts)][:MAX_PARTS]:
            _begin(known.parts.setdefault(part, []), states.get(part, UNKNOWN), now)
        known.seen_at = now
        known.parts = {part: runs for part, runs in known.parts.items() if _is_of_interest(runs, now)}

    def parts(self, deployment: Key) -> list[Part]:
        known = self._deployments.get(deployment)
        return sorted(known.parts) if known else []

    def runs(self, deployment: Key, part: Part) -> Iterator[Run]:
        """What is known of the last `KEPT` hours, the oldest first; the last one lasts until now."""
        known = self._deployments.get(deployment)
        until = now = moments.present()
        found = []
        for state, at in reversed(known.parts.get(part, []) if known else []):
            since = max(at, now - KEPT)
            if since < until:
                found.append(Run(state, since, until))
            until = at
        return reversed(found)

    def forget(self, deployment: Key) -> None:
        """It is gone, or another replica's."""
        self._deployments.pop(deployment, None)


def _begin(runs: list[_Began], state: str, at: datetime) -> None:
    if runs and runs[-1].state == state:
        return
    runs.append(_Began(intern(str(state)), at))  # a reason is one of an enumeration
    while len(runs) > MAX_RUNS or (len(runs) > 1 and at - runs[1].at > KEPT):
        del runs[0]


def _is_of_interest(runs: list[_Began], now: datetime) -> bool:
    last = runs[-1]
    return last.state != UNKNOWN or now - last.at <= KEPT
