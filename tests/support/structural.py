"""What the API server does with a structural schema: which values it accepts, as a strategy and as a check.

The keywords that `kinds.machinery.schema` lets through, and no more. Rules in CEL are not read: they only refuse.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from hypothesis import strategies as st

Schema = Mapping[str, Any]

_TEXT: Final = st.characters(exclude_categories=["Cs"])
_MAX_EXTRA: Final = 4
_TYPES: Final[Mapping[str, type | tuple[type, ...]]] = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "array": (list, tuple),
    "object": dict,
}


def instances(schema: Schema) -> st.SearchStrategy[Any]:
    """Values that `schema` accepts."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "x-kubernetes-int-or-string" in schema:
        return _strings(schema) | st.integers(schema["minimum"], schema["maximum"])
    match schema["type"]:
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(schema.get("minimum", -(2**63)), schema.get("maximum", 2**63 - 1))
        case "string":
            return _strings(schema)
        case "array":
            return _arrays(schema)
        case "object":
            return _objects(schema)
        case other:
            raise AssertionError(f"no such type: {other}")


def _strings(schema: Schema) -> st.SearchStrategy[str]:
    low, high = schema.get("minLength", 0), schema.get("maxLength")
    if schema.get("format") == "date-time":
        return st.datetimes().map(lambda moment: f"{moment.replace(microsecond=0).isoformat()}Z")
    if "pattern" not in schema:
        return st.text(_TEXT, min_size=low, max_size=high)
    found = st.from_regex(pattern(schema["pattern"]), alphabet=_TEXT)
    return found.filter(lambda text: low <= len(text) <= (high or len(text)))


def pattern(text: str) -> re.Pattern[str]:
    """As RE2 reads it: classes are ASCII, and $ is the end and nothing before it."""
    return re.compile(re.sub(r"\$$", r"\\Z", text), re.ASCII)


def _arrays(schema: Schema) -> st.SearchStrategy[list[Any]]:
    low = schema.get("minItems", 0)
    high = min(schema.get("maxItems", low + _MAX_EXTRA), low + _MAX_EXTRA)
    items = instances(schema["items"])
    if schema.get("x-kubernetes-list-type") == "set":
        return st.lists(items, min_size=low, max_size=high, unique=True)
    keys = schema.get("x-kubernetes-list-map-keys")
    if keys:
        return st.lists(items, min_size=low, max_size=high, unique_by=lambda item: tuple(item[key] for key in keys))
    return st.lists(items, min_size=low, max_size=high)


def _objects(schema: Schema) -> st.SearchStrategy[dict[str, Any]]:
    if "additionalProperties" in schema:
        high = min(schema.get("maxProperties", _MAX_EXTRA), _MAX_EXTRA)
        return st.dictionaries(st.text(_TEXT), instances(schema["additionalProperties"]), max_size=high)
    fields = {name: instances(item) for name, item in schema.get("properties", {}).items()}
    required = set(schema.get("required", ()))
    return st.fixed_dictionaries(
        {name: field for name, field in fields.items() if name in required},
        optional={name: field for name, field in fields.items() if name not in required},
    )


def problems(schema: Schema, value: Any, path: str = "") -> Iterator[str]:
    """Why the API server would refuse `value`; unknown fields are a problem too, for they would be lost."""
    type_ = schema.get("type", "integer" if isinstance(value, int) else "string")
    expected = _TYPES[type_]
    if not isinstance(value, expected) or (isinstance(value, bool) and expected is int):
        yield f"{path}: {value!r} is no {type_}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: {value!r} is not one of {schema['enum']}"
    if isinstance(value, str):
        yield from _string_problems(schema, value, path)
    elif isinstance(value, int):
        if not schema.get("minimum", -(2**63)) <= value <= schema.get("maximum", 2**63 - 1):
            yield f"{path}: {value} is out of range"
    elif isinstance(value, dict):
        yield from _object_problems(schema, value, path)
    else:
        yield from _array_problems(schema, value, path)


def _string_problems(schema: Schema, value: str, path: str) -> Iterator[str]:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        yield f"{path}: has {len(value)} characters"
    if "pattern" in schema and not pattern(schema["pattern"]).search(value):
        yield f"{path}: {value!r} does not match {schema['pattern']}"
    if schema.get("format") == "date-time" and datetime.fromisoformat(value).tzinfo is None:
        yield f"{path}: {value!r} has no zone"


def _array_problems(schema: Schema, value: Any, path: str) -> Iterator[str]:
    if not schema.get("minItems", 0) <= len(value) <= schema["maxItems"]:
        yield f"{path}: has {len(value)} items"
    for number, item in enumerate(value):
        yield from problems(schema["items"], item, f"{path}[{number}]")
    keys = schema.get("x-kubernetes-list-map-keys")
    if keys:
        value = [tuple(item[key] for key in keys) for item in value]
    if schema.get("x-kubernetes-list-type") in {"map", "set"} and len(set(value)) != len(value):
        yield f"{path}: has an item twice"


def _object_problems(schema: Schema, value: Mapping[str, Any], path: str) -> Iterator[str]:
    for name in set(schema.get("required", ())) - set(value):
        yield f"{path}.{name}: is required"
    if len(value) > schema.get("maxProperties", len(value)):
        yield f"{path}: has {len(value)} entries"
    for name, item in value.items():
        known = schema.get("properties", {}).get(name) or schema.get("additionalProperties")
        if known is None:
            yield f"{path}.{name}: is unknown"
        else:
            yield from problems(known, item, f"{path}.{name}")
