"""How objects name people: asked of the kinds, so that all that name somebody are found without knowing any kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple


class Mention(NamedTuple):
    who: str
    """E-mail, username or id, as spec has it."""
    path: str
    """The field of spec."""
    role: str = ""
    """What it gives them, in a word of spec; "" where the object declares the person."""


def items(value: Any, *path: str) -> Iterator[Any]:
    """What a spec has at that path, each item of a list by itself; nothing where it has something else on the way, as a
    CRD of another version may let it."""
    for field in path:
        value = value.get(field) if isinstance(value, dict) else None
    yield from value if isinstance(value, list) else (value,)


def texts(value: Any, *path: str) -> Iterator[str]:
    """Of those, what may be a name."""
    return (item for item in items(value, *path) if isinstance(item, str))
