"""What is made of all objects: anew only after one has changed, and held only while somebody looks.

Used by what pages count and search. What nobody asked for in a minute is forgotten.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from coder_enterprise.controller.view import View

KEPT: Final = 60.0
"""Seconds after which what nobody asks for is forgotten."""

T = TypeVar("T")


class Kept(Generic[T]):
    def __init__(self, view: View, make: Callable[[T | None], T]) -> None:
        """`make` is given what it made last, if that is still there."""
        self._view = view
        self._make = make
        self._made: T | None = None
        self._revision = -1
        self._forgetting: asyncio.TimerHandle | None = None

    def value(self) -> T:
        """Of the objects as they are now; not to be changed."""
        if self._forgetting:
            self._forgetting.cancel()
        self._forgetting = asyncio.get_running_loop().call_later(KEPT, self._forget)
        if self._made is None or self._revision != self._view.revision:
            self._made = self._make(self._made)
            self._revision = self._view.revision
        return self._made

    def _forget(self) -> None:
        self._made, self._forgetting = None, None
