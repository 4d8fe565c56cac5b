"""Counts of objects as the parts of a bar, each with the list that it stands for. Used by the overview."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from coder_enterprise.page.rows import State

WIDTH: Final = 100.0
NARROWEST: Final = 1.5
"""What is there is seen, however few they are."""
ORDER: Final = (State.READY, State.WAITING, State.STALLED, State.SUSPENDED)


@dataclass(frozen=True)
class Segment:
    state: State
    count: int
    start: float
    width: float
    url: str


def segments(counts: Mapping[State, int], **filters: str) -> list[Segment]:
    """Of all states that some objects have, from left to right; `filters` are those of the list."""
    present = [(state, counts[state]) for state in ORDER if counts.get(state)]
    total = sum(count for _, count in present)
    widths = [max(NARROWEST, WIDTH * count / total) for _, count in present]
    scale = WIDTH / sum(widths) if widths else 1.0
    found, start = list[Segment](), 0.0
    for (state, count), width in zip(present, widths, strict=True):
        url = f"/objects?{urlencode({**filters, 'state': state})}"
        found.append(Segment(state, count, round(start, 2), round(width * scale, 2), url))
        start += width * scale
    return found
