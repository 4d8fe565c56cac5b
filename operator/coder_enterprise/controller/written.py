"""Whether what is done in a visit has changed something in Coder by now: each request that wrote, as it succeeds.

Noted by the hooks of a connection; asked by the reconciler of managed objects, for a visit that fails on its way. It
knows what was called, and not what came of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_WRITTEN: Final[ContextVar[list[str] | None]] = ContextVar("written", default=None)


@contextmanager
def writes() -> Iterator[list[str]]:
    """The operations that have written since, in this task and in those that it starts."""
    found: list[str] = []
    before = _WRITTEN.set(found)
    try:
        yield found
    finally:
        _WRITTEN.reset(before)


def wrote(operation: str) -> None:
    found = _WRITTEN.get()
    if found is not None:
        found.append(operation)
