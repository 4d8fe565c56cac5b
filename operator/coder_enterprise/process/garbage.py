"""How often Python looks for garbage that refers to itself. Called by the programs that stay, when they have begun."""

from __future__ import annotations

import gc
from typing import Final

NEW_OBJECTS: Final = 5000
"""After so many it looks. Requests and events make next to no such garbage, and a list makes tens of thousands of
objects: at the usual 700, looking through them costs as much as all that makes the list."""


def settle() -> None:
    """What is there now stays to the end, and is looked through no more."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS)
