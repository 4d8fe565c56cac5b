"""Curves as SVG: what the documentation shows of a soak. Pure functions; no library, and no script in the picture."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

WIDTH: Final = 860
HEIGHT: Final = 190
"""Of one panel."""
LEFT: Final = 64
RIGHT: Final = 16
TOP: Final = 34
BOTTOM: Final = 30
LINES: Final = 4
"""Across a panel, at least."""
COLORS: Final = ("#1f6feb", "#bc4c00", "#1a7f37")
INK: Final = "#57606a"


@dataclass(frozen=True)
class Curve:
    name: str
    values: Sequence[float]


@dataclass(frozen=True)
class Panel:
    title: str
    curves: Sequence[Curve]


def drawing(minutes: Sequence[float], panels: Sequence[Panel], bands: Sequence[tuple[float, float]] = ()) -> str:
    """One panel below the other, over the same minutes; bands are grey."""
    height = len(panels) * HEIGHT + BOTTOM
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="sans-serif" font-size="12" fill="{INK}" role="img">'
    )
    titles = "; ".join(panel.title for panel in panels)
    parts = [head, f"<title>{escape(titles)}</title>", f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>']
    for number, panel in enumerate(panels):
        parts += _panel(minutes, panel, bands, number * HEIGHT)
    parts += _minutes(minutes, len(panels) * HEIGHT)
    return "\n".join([*parts, "</svg>", ""])


def _panel(minutes: Sequence[float], panel: Panel, bands: Sequence[tuple[float, float]], offset: int) -> Iterator[str]:
    ticks = steps(max((max(curve.values) for curve in panel.curves), default=1.0))
    bottom, top = offset + HEIGHT, offset + TOP

    def y(value: float) -> float:
        return bottom - (bottom - top) * value / ticks[-1]

    for start, end in bands:
        left, right = _x(minutes, start), _x(minutes, end)
        width = max(1.0, right - left)
        yield f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{bottom - top}" fill="#d0d7de"/>'
    for tick in ticks:
        yield f'<path d="M{LEFT} {y(tick):.1f}H{WIDTH - RIGHT}" stroke="#d8dee4"/>'
        yield f'<text x="{LEFT - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>'
    yield f'<text x="{LEFT}" y="{top - 14}" font-weight="bold">{escape(panel.title)}</text>'
    for number, curve in enumerate(panel.curves):
        points = " ".join(
            f"{_x(minutes, x):.1f},{y(value):.1f}" for x, value in zip(minutes, curve.values, strict=True)
        )
        color, place = COLORS[number % len(COLORS)], WIDTH - RIGHT - 150 * (len(panel.curves) - number - 1)
        yield f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.5"/>'
        yield f'<text x="{place}" y="{top - 14}" text-anchor="end" fill="{color}">{escape(curve.name)}</text>'


def _minutes(minutes: Sequence[float], bottom: int) -> Iterator[str]:
    for tick in steps(minutes[-1] if minutes else 1.0):
        if not minutes or tick <= minutes[-1]:
            yield f'<text x="{_x(minutes, tick):.1f}" y="{bottom + 18}" text-anchor="middle">{tick:g} min</text>'


def _x(minutes: Sequence[float], moment: float) -> float:
    whole = minutes[-1] if minutes and minutes[-1] else 1.0
    return LEFT + (WIDTH - LEFT - RIGHT) * min(moment, whole) / whole


def steps(highest: float) -> list[float]:
    """Round numbers from 0 to the first that is not below `highest`."""
    highest = highest if highest > 0 else 1.0
    size = 10 ** math.floor(math.log10(highest / LINES))
    step = next(size * factor for factor in (1, 2, 5, 10) if highest / (size * factor) <= LINES)
    return [round(step * number, 9) for number in range(math.ceil(highest / step) + 1)]
