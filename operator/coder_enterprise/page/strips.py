"""How a part of a Coder was over the last hours, as a strip whose right end is now. Used by the overview."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from coder_enterprise.controller.history import KEPT, UNKNOWN, Run
from coder_enterprise.kinds.machinery import moments
from coder_enterprise.kinds.machinery.connection import WELL

WIDTH: Final = 100.0
NARROWEST: Final = 0.4
"""A short outage is seen."""


@dataclass(frozen=True)
class Stretch:
    state: str
    """ready, stalled, or ground where nobody knows."""
    said: str
    """As Coder put it."""
    since: datetime
    until: datetime
    start: float
    width: float


@dataclass(frozen=True)
class Strip:
    stretches: tuple[Stretch, ...]

    @property
    def now(self) -> str:
        """As it was noted last; "" where nobody knows."""
        return self.stretches[-1].said if self.stretches else ""

    @property
    def words(self) -> str:
        """For who does not see it."""
        known = sum(each.width for each in self.stretches if each.state != "ground")
        well = sum(each.width for each in self.stretches if each.state == "ready")
        return f"well for {100 * well / known:.0f} % of what is known" if known else "nothing is known"


def strip(runs: Iterable[Run]) -> Strip:
    now = moments.present()
    return Strip(tuple(_stretch(run, now) for run in runs))


def _stretch(run: Run, now: datetime) -> Stretch:
    def at(moment: datetime) -> float:
        return min(WIDTH, max(0.0, WIDTH - WIDTH * ((now - moment) / KEPT)))

    start, end = at(run.since), at(run.until)
    state = "ground" if run.state == UNKNOWN else "ready" if run.state == WELL else "stalled"
    width = max(end - start, NARROWEST if state == "stalled" else 0.0)
    return Stretch(state, run.state, run.since, run.until, round(min(start, WIDTH - width), 2), round(width, 2))
