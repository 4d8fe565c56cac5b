"""Pydantic models as structural schemas, the form that Kubernetes accepts in a CustomResourceDefinition.

Used by `machinery.crd`. Owns the markers that models carry in `Annotated[...]`, and the refusal of everything that the
API server would reject, mishandle, or find too expensive: what is not understood here fails when the CRDs are
generated, not in a cluster.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema
from typing_extensions import override

VALIDATIONS: Final = "x-kubernetes-validations"
INT_OR_STRING: Final = "x-kubernetes-int-or-string"
INT64_MAX: Final = 2**63 - 1
MAX_NUMBER: Final = 10**15
"""What the API server still compares exactly: it takes bounds for floats."""

_KEPT: Final = frozenset(
    {
        "type",
        "description",
        "enum",
        "format",
        "pattern",
        "minLength",
        "maxLength",
        "minimum",
        "maximum",
        "minItems",
        "maxItems",
        "minProperties",
        "maxProperties",
        "default",
        VALIDATIONS,
        INT_OR_STRING,
        "x-kubernetes-list-type",
        "x-kubernetes-list-map-keys",
    }
)
_DROPPED: Final = frozenset({"title", "$defs", "discriminator"})
MAX_DEPTH: Final = 32
_TWO_MEANINGS: Final = re.compile(r"\\[bBdDsSwW]")
"""ASCII to the API server, Unicode to pydantic: admission would let through what the model then refuses. What RE2
does not know at all, such as look-around, pydantic's engine does not know either."""


class SchemaError(ValueError):
    """A model that has no structural schema; the message names the path."""


class _Marker:
    """Adds keywords to the schema of the annotated property."""

    def keywords(self) -> dict[str, Any]:
        raise NotImplementedError

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = dict(handler(core))
        for key, value in self.keywords().items():
            schema[key] = [*schema.get(key, ()), *value] if key == VALIDATIONS else value
        return schema


@dataclass(frozen=True)
class Cel(_Marker):
    """A rule in the Common Expression Language, checked at admission."""

    rule: str
    message: str
    field_path: str | None = None
    """The property the message is about, such as `.users`; only for rules of an object."""

    @override
    def keywords(self) -> dict[str, Any]:
        rule = {"rule": self.rule, "message": self.message}
        return {VALIDATIONS: [rule | ({"fieldPath": self.field_path} if self.field_path else {})]}


@dataclass(frozen=True)
class Immutable(_Marker):
    """The property cannot change once it is set; setting and removing it is possible, as Kubernetes defines it."""

    message: str

    @override
    def keywords(self) -> dict[str, Any]:
        return {VALIDATIONS: [{"rule": "self == oldSelf", "message": self.message}]}


class ListMap(_Marker):
    """A list whose items are told apart by `keys`."""

    def __init__(self, *keys: str) -> None:
        self._keys = keys

    @override
    def keywords(self) -> dict[str, Any]:
        return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(self._keys)}


@dataclass(frozen=True)
class ListSet(_Marker):
    """A list without repetition."""

    @override
    def keywords(self) -> dict[str, Any]:
        return {"x-kubernetes-list-type": "set"}


@dataclass(frozen=True)
class IntOrString(_Marker):
    """A string that may be written as a whole number in YAML; the model reads both as text."""

    @override
    def keywords(self) -> dict[str, Any]:
        return {INT_OR_STRING: True, "minimum": 0, "maximum": MAX_NUMBER}


class KindModel(BaseModel):
    """Base of all that appears in a custom resource: camelCase in YAML, immutable, tolerant of newer fields."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        frozen=True,
        extra="ignore",
        use_attribute_docstrings=True,
        defer_build=True,  # a command reads objects of some kinds, and never all
    )

    cel: ClassVar[tuple[Cel, ...]] = ()
    """Rules over several properties of this object."""

    @classmethod
    @override
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler.resolve_ref_schema(handler(core))
        rules = [rule for cel in cls.cel for rule in cel.keywords()[VALIDATIONS]]
        if rules:
            schema[VALIDATIONS] = rules
        return schema


def structural_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The structural schema of `model`.

    Python defaults are left out: a default in a CRD would be written into stored objects and freeze today's
    choice. Raises `SchemaError` for what a CRD cannot say, and for unbounded strings, lists and maps.
    """
    schema = model.model_json_schema(by_alias=True)
    return _convert(schema, schema.get("$defs", {}), model.__name__)


def _convert(schema: Mapping[str, Any], definitions: Mapping[str, Any], path: str) -> dict[str, Any]:
    if path.count(".") + path.count("[]") > MAX_DEPTH:
        raise SchemaError(f"{path}: a structural schema cannot contain itself")
    schema = _fold_optional(_resolve(schema, definitions), definitions, path)
    result: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "properties":
            result[key] = {name: _convert(item, definitions, f"{path}.{name}") for name, item in value.items()}
        elif key == "items":
            result[key] = _convert(value, definitions, f"{path}[]")
        elif key == "additionalProperties":
            result |= _map_values(schema, value, definitions, path)
        elif key == "required":
            result[key] = sorted(value)
        elif key == "description":
            result[key] = " ".join(value.split())
        elif key in _KEPT:
            result[key] = value
        elif key not in _DROPPED:
            raise SchemaError(f"{path}: a structural schema cannot say {key}")
    result.pop("default", None)
    _set_type(result)
    _check(result, path)
    return result


def _resolve(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """Inline a reference; what stands beside it, such as a description, wins."""
    merged = dict(schema)
    while "$ref" in merged:
        target = definitions[merged.pop("$ref").rpartition("/")[2]]
        rules = [*target.get(VALIDATIONS, ()), *merged.get(VALIDATIONS, ())]
        merged = {**target, **merged} | ({VALIDATIONS: rules} if rules else {})
    return merged


def _fold_optional(schema: Mapping[str, Any], definitions: Mapping[str, Any], path: str) -> dict[str, Any]:
    """`X or None` is X: a field that is left out is unmanaged, and null is pruned."""
    merged = dict(schema)
    options = merged.pop("anyOf", None)
    if options is None:
        return merged
    options = [option for option in options if option.get("type") != "null"]
    if len(options) != 1:
        raise SchemaError(f"{path}: a structural schema cannot choose between {len(options)} types")
    inner = _fold_optional(_resolve(options[0], definitions), definitions, path)
    rules = [*inner.get(VALIDATIONS, ()), *merged.get(VALIDATIONS, ())]
    return {**inner, **merged} | ({VALIDATIONS: rules} if rules else {})


def _map_values(schema: Mapping[str, Any], values: Any, definitions: Mapping[str, Any], path: str) -> dict[str, Any]:
    if isinstance(values, bool):
        if schema.get("properties"):
            return {}
        raise SchemaError(f"{path}: a free-form object is not bounded")
    # Pydantic puts the bounds of a map's keys and values elsewhere; the number of entries is what costs.
    return {"additionalProperties": _convert(values, definitions, f"{path}.*")}


def _set_type(schema: dict[str, Any]) -> None:
    if INT_OR_STRING in schema:
        del schema["type"]
        return
    if schema.get("type") == "integer":
        fits = schema.get("minimum", -(2**63)) >= -(2**31) and schema.get("maximum", INT64_MAX) < 2**31
        schema.setdefault("format", "int32" if fits else "int64")


def _check(schema: Mapping[str, Any], path: str) -> None:
    kind = "string" if INT_OR_STRING in schema else schema.get("type")
    if kind is None:
        raise SchemaError(f"{path}: has no type")
    if kind == "string" and not {"maxLength", "enum"} & set(schema) and schema.get("format") != "date-time":
        raise SchemaError(f"{path}: a string needs max_length")
    if kind == "array" and "maxItems" not in schema:
        raise SchemaError(f"{path}: a list needs max_length")
    if kind == "object" and "additionalProperties" in schema and "maxProperties" not in schema:
        raise SchemaError(f"{path}: a map needs max_length")
    if _TWO_MEANINGS.search(schema.get("pattern", "")):
        raise SchemaError(f"{path}: the pattern must say which characters it means, such as [0-9]")
