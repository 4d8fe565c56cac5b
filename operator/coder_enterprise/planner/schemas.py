"""What the API server would say of a manifest of ours: unknown fields, wrong values, and rules that do not hold.

Called by `planner.resources`. Types and bounds are judged by the kind's own model, in which they are written; the
rules are those of the generated CRD. A value that the model refuses is not asked about by rules, as in Kubernetes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from typing_extensions import override

from coder_enterprise.kinds.machinery.base import ManagedKind
from coder_enterprise.kinds.machinery.connection import ConnectionKind
from coder_enterprise.kinds.machinery.schema import VALIDATIONS
from coder_enterprise.planner.rules import RuleError, compares, holds

Schema = Mapping[str, Any]
MAX_PROBLEMS: Final = 20
"""Of one object: who has more of them reads no more than that."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why the API server would refuse a manifest."""

    path: str
    """The field, such as `spec.members.users[2]`."""
    message: str

    @override
    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


def problems(kind: ManagedKind[Any, Any] | ConnectionKind[Any], body: Mapping[str, Any]) -> list[Problem]:
    """All that is wrong with `body`, at most `MAX_PROBLEMS`; none for what would be admitted as a new object."""
    schema = _schema(kind)
    if not isinstance(body.get("spec"), dict):
        return [Problem("spec", "is required" if body.get("spec") is None else "must be an object")]
    found = [*_unknown(schema, body, ""), *_refused(kind.spec_model, body["spec"])]
    if not found:
        value = _typed(schema, _bare(body))
        found = [*_repeated(schema, value, ""), *_broken(schema, value, "")]
    return found[:MAX_PROBLEMS]


def _schema(kind: ManagedKind[Any, Any] | ConnectionKind[Any]) -> Schema:
    """Of what people write: status is the operator's."""
    [version] = kind.crd["spec"]["versions"]
    whole: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return {**whole, "properties": {**whole["properties"], "status": {"type": "object"}}}


def _bare(body: Mapping[str, Any]) -> dict[str, Any]:
    """What rules see: of the metadata, only the name."""
    return {"metadata": {"name": body["metadata"].get("name", "")}, "spec": body["spec"]}


def _refused(model: type[BaseModel], spec: Mapping[str, Any]) -> Iterator[Problem]:
    try:
        # Through JSON, because only there text is a time or an enumeration in strict mode.
        model.model_validate_json(json.dumps(_without_nulls(spec)), strict=True)
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_input=False):
            path = "spec"
            for part in fault["loc"]:
                path += f"[{part}]" if isinstance(part, int) else f".{part}"
            yield Problem(path, fault["msg"])


def _without_nulls(value: Any) -> Any:
    """The API server prunes them: no field of ours is nullable."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _unknown(schema: Schema, value: Any, path: str) -> Iterator[Problem]:
    """Fields that no schema has: kubectl refuses them, and Kubernetes drops them without a word."""
    if isinstance(value, dict) and "properties" in schema:
        known = schema["properties"]
        for key, item in value.items():
            where = f"{path}.{key}" if path else str(key)
            if key not in known:
                yield Problem(where, f"unknown field; known are {', '.join(sorted(known))}")
            else:
                yield from _unknown(known[key], item, where)
    elif isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield from _unknown(schema["items"], item, f"{path}[{index}]")
    elif isinstance(value, dict) and isinstance(schema.get("additionalProperties"), dict):
        for key, item in value.items():
            yield from _unknown(schema["additionalProperties"], item, f"{path}.{key}")


def _repeated(schema: Schema, value: Any, path: str) -> Iterator[Problem]:
    """Items of lists that are sets or maps."""
    for where, inner, item in _children(schema, value, path):
        yield from _repeated(inner, item, where)
    kind = schema.get("x-kubernetes-list-type")
    if not isinstance(value, list) or kind not in ("set", "map"):
        return
    keys = schema.get("x-kubernetes-list-map-keys", ())
    seen = []
    for index, item in enumerate(value):
        identity = item if kind == "set" else [item.get(key) for key in keys]
        if identity in seen:
            yield Problem(f"{path}[{index}]", "is a repetition of an earlier item")
        seen.append(identity)


def _broken(schema: Schema, value: Any, path: str) -> Iterator[Problem]:
    """Rules that do not hold."""
    for rule in schema.get(VALIDATIONS, ()):
        if compares(rule["rule"]):
            continue
        where = f"{path}{rule.get('fieldPath', '')}".lstrip(".")
        try:
            if holds(rule["rule"], value):
                continue
        except RuleError as error:
            yield Problem(where, f"{rule['message']} ({error})")
        else:
            yield Problem(where, rule["message"])
    for where, inner, item in _children(schema, value, path):
        yield from _broken(inner, item, where)


def _children(schema: Schema, value: Any, path: str) -> Iterator[tuple[str, Schema, Any]]:
    if isinstance(value, dict):
        properties, others = schema.get("properties", {}), schema.get("additionalProperties")
        for key, item in value.items():
            inner = properties.get(key, others)
            if isinstance(inner, dict):
                yield (f"{path}.{key}" if path else key), inner, item
    elif isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield f"{path}[{index}]", schema["items"], item


def _typed(schema: Schema, value: Any) -> Any:
    """As rules see it: without nulls, and times as such."""
    if isinstance(value, dict):
        properties, others = schema.get("properties", {}), schema.get("additionalProperties", {})
        return {key: _typed(properties.get(key, others), item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_typed(schema.get("items", {}), item) for item in value]
    if schema.get("format") == "date-time":
        return datetime.fromisoformat(value)
    return value
