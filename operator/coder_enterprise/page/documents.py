"""Spec and status as YAML, as long as a person reads. Used by the page of an object.

What an object has of Secrets are their names; values are nowhere in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import yaml

from coder_enterprise.kinds.machinery.texts import clipped

MAX_ITEMS: Final = 100
MAX_TEXT: Final = 2000
WIDTH: Final = 100


def document(value: Mapping[str, Any], without: frozenset[str] = frozenset()) -> str:
    """`without` are fields that are shown elsewhere."""
    shown = {name: _short(item) for name, item in value.items() if name not in without}
    return yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=WIDTH) if shown else ""


def _short(value: Any) -> Any:
    if isinstance(value, str):
        return clipped(value, MAX_TEXT)
    if isinstance(value, list):
        more = [f"… and {len(value) - MAX_ITEMS} more"] if len(value) > MAX_ITEMS else []
        return [*map(_short, value[:MAX_ITEMS]), *more]
    if isinstance(value, Mapping):
        items = list(value.items())
        rest = {"…": f"{len(items) - MAX_ITEMS} more"} if len(items) > MAX_ITEMS else {}
        return {name: _short(item) for name, item in items[:MAX_ITEMS]} | rest
    return value
