"""Names that a list does not have: when it is worth to read it again for them.

Used by `client.directory`. A name that is looked for the first time has the list read at once; those that were not
found share one look, ever later while it finds none of them, so that a misspelt name costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from coder_enterprise.client.clock import now

FIRST_LOOK: Final = 20.0
"""Seconds until names are looked for again that a list did not have; doubled with each look in vain."""
MAX_LOOK: Final = 300.0
MAX_NAMES: Final = 10_000


class Absences:
    """Of one list."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._interval = FIRST_LOOK
        self._due = float("-inf")

    @property
    def look_in(self) -> float:
        """Seconds until the names that are known to be missing are looked for again."""
        return max(0.0, self._due - now())

    def worth_a_look(self, names: Collection[str]) -> bool:
        """Whether one of these is not known to be missing, or it is time."""
        return bool(names) and (now() >= self._due or not self._names.issuperset(names))

    def looked(self, before: Collection[str], after: Collection[str]) -> None:
        """The list was read for the names `before`, and `after` are still missing."""
        if len(after) < len(before):
            self._interval = FIRST_LOOK
        elif self._names.issuperset(after):
            self._interval = min(MAX_LOOK, self._interval * 2)
        if len(self._names) > MAX_NAMES:
            self._names.clear()
        self._names.update(after)
        self._due = now() + self._interval
