"""A status that is cut down to what its schema allows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coder_enterprise.kinds.machinery.clipping import clip
from coder_enterprise.kinds.machinery.crd import status_schema
from coder_enterprise.kinds.registry import KINDS
from tests.support.structural import problems

SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 5},
        "count": {"type": "integer"},
        "people": {"type": "array", "maxItems": 2, "items": {"type": "string", "maxLength": 3}},
        "features": {"type": "object", "maxProperties": 1, "additionalProperties": {"type": "string", "maxLength": 2}},
    },
}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"name": "ann", "count": 3}, {"name": "ann", "count": 3}),
        ({"name": "annabella"}, {"name": "anna…"}),
        ({"people": ["ann", "bobby", "cid"]}, {"people": ["ann", "bo…"]}),
        ({"features": {"a": "long", "b": "x"}}, {"features": {"a": "l…"}}),
        ({"count": 10**30}, {"count": 2**63 - 1}),
        ({"count": -(10**30)}, {"count": -(2**63 - 1)}),
        ({"name": None}, {"name": None}),
        ({"unknown": "as it is"}, {"unknown": "as it is"}),
    ],
)
def test_what_is_too_long_is_cut(status: dict[str, Any], expected: dict[str, Any]) -> None:
    assert clip(SCHEMA, status) == expected


def grown(schema: dict[str, Any]) -> Any:
    """A value that has too much of everything that the schema bounds."""
    match schema.get("type"):
        case "string" if schema.get("format") == "date-time":
            return "2026-01-01T00:00:00Z"
        case "string":
            return schema.get("enum", ["x" * (schema.get("maxLength", 20) + 7)])[0]
        case "array":
            return [grown(schema["items"])] * (schema["maxItems"] + 3)
        case "object":
            found = {name: grown(item) for name, item in schema.get("properties", {}).items()}
            if "additionalProperties" in schema:
                found |= {f"{n}": grown(schema["additionalProperties"]) for n in range(schema["maxProperties"] + 3)}
            return found
        case "boolean":
            return True
        case _:
            return 1


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.names.kind)
def test_no_status_of_any_kind_is_too_long_for_the_api_server(kind: Any) -> None:
    schema = status_schema(kind.crd)
    found = list(problems(schema, clip(schema, grown(dict(schema)))))
    assert [text for text in found if "characters" in text or "items" in text or "entries" in text] == []


VALUES = st.recursive(
    st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(VALUES)
def test_any_value_is_cut_without_a_fault(value: Any) -> None:
    clip(SCHEMA, value)
