"""Makes decoded JSON small: what many objects have in common exists once in the process.

Called when an object of Kubernetes becomes a `Resource`. Each event of a watch is decoded by itself, so that ten
thousand objects would have ten thousand copies of each field's name, of "True", and of one condition that says so.
What comes out is shared, and must not be changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from sys import intern
from typing import Any, Final

MAX_SHARED: Final = 32
"""Characters of a text that others may have too; ids are longer, and are never the same."""
CONDITIONS: Final = 512
"""How many different conditions are remembered, to share the next equal one."""


def shared(value: Any) -> Any:
    """An equal value. What is no JSON in it stays as it is."""
    if isinstance(value, str):
        return intern(value) if len(value) <= MAX_SHARED else value
    if isinstance(value, dict):
        return {intern(key): shared(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shared(item) for item in value]
    return value


def shared_status(status: dict[str, Any]) -> dict[str, Any]:
    """The same for a status; objects that came to a condition at the same time share it as a whole."""
    small: dict[str, Any] = shared({key: value for key, value in status.items() if key != "conditions"})
    if "conditions" in status:
        small["conditions"] = [_condition(tuple(item.items())) for item in _conditions(status["conditions"])]
    return small


def _conditions(found: Any) -> Iterator[dict[str, Any]]:
    """Those that are whole: a CRD that is not of this version may let others be stored."""
    for item in found if isinstance(found, list) else ():
        if (
            isinstance(item, dict)
            and "type" in item
            and not any(isinstance(each, (dict, list)) for each in item.values())
        ):
            yield item


@lru_cache(CONDITIONS)
def _condition(items: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    small: dict[str, Any] = shared(dict(items))
    return small
