"""The days that a licence has left, as a bar with the dates that matter. Used by the overview."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from coder_enterprise.kinds.machinery import moments
from coder_enterprise.oncall.standing import moment

WIDTH: Final = 100.0
WARNING: Final = timedelta(days=30)
"""How long before its end a licence is said to expire soon."""
LEAST: Final = timedelta(days=90)
"""What the whole bar stands for at least, so that ten days look like few."""


@dataclass(frozen=True)
class Span:
    name: str
    """covered, soon or grace."""
    start: float
    width: float


@dataclass(frozen=True)
class Term:
    valid: bool
    days: int
    ends: datetime
    grace: datetime | None
    """When its grace period ends."""
    spans: tuple[Span, ...]

    @property
    def warns(self) -> datetime:
        return self.ends - WARNING

    @property
    def state(self) -> str:
        now = moments.present()
        if now < self.warns:
            return "covered"
        if now < self.ends:
            return "soon"
        return "grace" if self.grace and now < self.grace else "over"


def term(license_: Mapping[str, Any], statuses: Iterable[Mapping[str, Any]]) -> Term | None:
    """Of what a CoderDeployment's status says of its licence; the end of its grace period is from the `statuses` of the
    objects that declare licences. None where no end is known."""
    ends = moment(license_.get("expiresAt"))
    if ends is None:
        return None
    found = [(moment(status.get("expiresAt")), moment(status.get("graceUntil"))) for status in statuses]
    known = [grace for expires, grace in found if grace and expires == ends]
    grace = max(known, default=None)
    now = moments.present()
    return Term(
        valid=license_.get("valid") is True,
        days=moments.days_left(ends, now),
        ends=ends,
        grace=grace,
        spans=tuple(_spans(now, ends, grace)),
    )


def _spans(now: datetime, ends: datetime, grace: datetime | None) -> Iterable[Span]:
    last = max(ends, grace or ends) - now
    whole = max(LEAST, last)
    borders = [("covered", ends - WARNING), ("soon", ends), ("grace", grace or ends)]
    start = 0.0
    for name, border in borders:
        end = min(WIDTH, max(start, WIDTH * ((border - now) / whole)))
        if end > start:
            yield Span(name, round(start, 2), round(end - start, 2))
        start = end
