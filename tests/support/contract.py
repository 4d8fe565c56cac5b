"""Compares an answer with the facts of the contract page: every field there, of its type, and none beside them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

FACTS: Final = Path(__file__).parents[1] / "data" / "contract.json"
_TYPES: Final[Mapping[str, type]] = {"string": str, "boolean": bool, "integer": int, "array": list, "object": dict}

Record = dict[str, Any]
Shape = Mapping[str, Any]
Enums = Mapping[str, Sequence[str]]


def records() -> list[Record]:
    facts: list[Record] = json.loads(FACTS.read_text())
    return facts


def key(record: Record) -> str:
    return f"{record['method']} {record['path']}"


def differences(shape: Shape, value: Any, enums: Enums, path: str = "$") -> Iterator[str]:
    """What is not as the page says, each with its place in the answer."""
    kind = shape["type"]
    if kind == "any":
        return
    if kind == "map":
        kind = "object"
    expected = _TYPES[kind]
    if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
        yield f"{path}: {kind} is wanted, not {type(value).__name__}"
        return
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from differences(shape["items"], item, enums, f"{path}[{number}]")
    elif isinstance(value, dict):
        yield from _object_differences(shape, value, enums, path)
    elif isinstance(value, str):
        yield from _string_differences(shape, value, enums, path)


def _object_differences(shape: Shape, value: Mapping[str, Any], enums: Enums, path: str) -> Iterator[str]:
    if "values" in shape:
        for name, item in value.items():
            yield from differences(shape["values"], item, enums, f"{path}.{name}")
        return
    fields: Mapping[str, Shape] = shape["fields"]
    if not fields:
        return  # an object whose content the page leaves open
    for name in fields.keys() - value.keys():
        yield f"{path}.{name}: is missing"
    for name in value.keys() - fields.keys():
        yield f"{path}.{name}: is not on the page"
    for name in fields.keys() & value.keys():
        yield from differences(fields[name], value[name], enums, f"{path}.{name}")


def _string_differences(shape: Shape, value: str, enums: Enums, path: str) -> Iterator[str]:
    name = path.rpartition(".")[2]
    if name in enums and value not in enums[name]:
        yield f"{path}: {value!r} is not one of {', '.join(map(repr, enums[name]))}"
    try:
        if shape.get("format") == "uuid":
            UUID(value)
        elif shape.get("format") == "date-time":
            datetime.fromisoformat(value)
    except ValueError as error:
        yield f"{path}: {error}"
