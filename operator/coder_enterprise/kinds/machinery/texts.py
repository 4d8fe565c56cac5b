"""How status and messages write what is long: a text that is cut, a list that is counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

MORE: Final = "…"


def clipped(text: str, longest: int) -> str:
    """At most `longest` characters; one that was longer ends with an ellipsis."""
    return text if len(text) <= longest else text[: longest - 1] + MORE


def clipped_value(value: str | int | None, longest: int) -> str | None:
    """The same of a value; None is nothing, and stays so."""
    return None if value is None else clipped(str(value), longest)


def enumerated(items: Sequence[object], at_most: int, separator: str = ", ") -> str:
    """The first ones, and how many more there are: "a, b and 3 more", or "a; b; and 3 more"."""
    shown = separator.join(map(str, items[:at_most]))
    more = len(items) - at_most
    return f"{shown}{separator.rstrip(', ')} and {more} more" if more > 0 else shown
