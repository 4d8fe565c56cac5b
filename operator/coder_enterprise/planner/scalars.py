"""Which plain words of YAML Kubernetes takes for something else than text: for who reads it, and for who writes it.

Used by `planner.documents` and `planner.exporting`. Kubernetes reads YAML 1.1 as Go's package does: no dates, no
numbers to the base of 60, exponents without a dot, and y and n for true and false.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import yaml

_TAG: Final = "tag:yaml.org,2002:"
_OTHERWISE: Final = {f"{_TAG}timestamp", f"{_TAG}int", f"{_TAG}float", f"{_TAG}bool"}
WORDS: Final = (
    (
        f"{_TAG}bool",
        re.compile(r"^(?:[yYnN]|yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$"),
    ),
    (f"{_TAG}int", re.compile(r"^[-+]?(?:0[bB][01_]+|0[oO][0-7_]+|0[xX][0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)$")),
    (
        f"{_TAG}float",
        re.compile(
            r"^[-+]?(?:(?:[0-9][0-9_]*)?\.[0-9][0-9_]*|[0-9][0-9_]*\.?)(?:[eE][-+]?[0-9]+)?$"
            r"|^[-+]?\.(?:inf|Inf|INF)$"
        ),
    ),
)
_FIRST: Final = {f"{_TAG}bool": "yYnNtTfFoO", f"{_TAG}int": "-+0123456789", f"{_TAG}float": "-+0123456789."}
_BASES: Final = {"0b": 2, "0o": 8, "0x": 16}
BOOLEANS: Final = {**yaml.constructor.SafeConstructor.bool_values, "y": True, "n": False}


def for_reading(present: Mapping[str, Any]) -> dict[str, Any]:
    """By the first character, as PyYAML has them: those of Kubernetes in place of its own."""
    kept = {first: [pair for pair in pairs if pair[0] not in _OTHERWISE] for first, pairs in present.items()}
    return for_writing(kept)


def for_writing(present: Mapping[str, Any]) -> dict[str, Any]:
    """The same besides its own: what either takes for something else than text is quoted."""
    found = {first: list(pairs) for first, pairs in present.items()}
    for tag, pattern in WORDS:
        for first in _FIRST[tag]:
            found.setdefault(first, []).append((tag, pattern))
    return found


def integer(text: str) -> int:
    """Of what the pattern for integers fits."""
    digits = text.replace("_", "").lower()
    sign = -1 if digits.startswith("-") else 1
    digits = digits.lstrip("+-")
    base = _BASES.get(digits[:2])
    if base:
        return sign * int(digits[2:], base)
    return sign * int(digits, 8 if digits.startswith("0") and len(digits) > 1 else 10)
