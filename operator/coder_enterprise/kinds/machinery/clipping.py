"""Cuts a status down to what its schema allows: called by the controller's writer, before each status patch.

Texts, lists and maps of Coder's may be longer than any status may be, and numbers greater; the API server would refuse
the whole patch for one of them: the object would say nothing any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from coder_enterprise.kinds.machinery.texts import clipped

LARGEST: Final = 2**63 - 1
"""What Kubernetes reads as an integer, and with the other sign."""


def clip(schema: Mapping[str, Any], value: Any) -> Any:
    """`value` with everything in it as long as `schema` allows; what the schema does not know stays as it is."""
    if isinstance(value, str):
        return clipped(value, schema.get("maxLength", len(value)))
    if isinstance(value, int):
        return max(-LARGEST, min(value, LARGEST))
    if isinstance(value, (list, tuple)):
        items = schema.get("items", {})
        return [clip(items, item) for item in value[: schema.get("maxItems")]]
    if isinstance(value, Mapping):
        known, others = schema.get("properties", {}), schema.get("additionalProperties", {})
        entries = list(value.items())[: schema.get("maxProperties")]
        return {name: clip(known.get(name, others), item) for name, item in entries}
    return value
