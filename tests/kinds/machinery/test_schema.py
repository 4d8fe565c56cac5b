"""The generator of structural schemas: what it lets through means the same to the API server and to the model."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from pydantic_core import SchemaError as PydanticSchemaError

from coder_enterprise.kinds.machinery.common import ManagedSpec
from coder_enterprise.kinds.machinery.schema import (
    Cel,
    Immutable,
    KindModel,
    ListMap,
    ListSet,
    SchemaError,
    structural_schema,
)
from coder_enterprise.kinds.registry import KINDS
from tests.support.structural import instances, pattern, problems

Short = Annotated[str, Field(max_length=8)]
Rule = dict[str, str]


def schema_of(annotation: Any, default: Any = ...) -> dict[str, Any]:
    """The schema of a property `it`."""
    model = type("Model", (KindModel,), {"__annotations__": {"it": annotation}, "it": default})
    found: dict[str, Any] = structural_schema(model)["properties"]["it"]
    return found


class Point(KindModel):
    x_axis: int
    label: Short = "origin"


class Ruled(KindModel):
    cel: ClassVar[tuple[Cel, ...]] = (Cel("self.low < self.high", "low must be lower", field_path=".low"),)
    low: int
    high: int


class Colour(StrEnum):
    RED = "Red"
    BLUE = "Blue"


# What it says


def test_a_model_becomes_an_object_in_camel_case() -> None:
    assert structural_schema(Point) == {
        "type": "object",
        "properties": {"xAxis": {"type": "integer", "format": "int64"}, "label": {"type": "string", "maxLength": 8}},
        "required": ["xAxis"],
    }


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (bool, {"type": "boolean"}),
        (Short, {"type": "string", "maxLength": 8}),
        (datetime, {"type": "string", "format": "date-time"}),
        (Colour, {"type": "string", "enum": ["Red", "Blue"]}),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (int, {"type": "integer", "format": "int64"}),
        (
            Annotated[int, Field(ge=1, le=10)],
            {"type": "integer", "format": "int32", "minimum": 1, "maximum": 10},
        ),
        (
            Annotated[int, Field(ge=0)],
            {"type": "integer", "format": "int64", "minimum": 0},
        ),
        (
            Annotated[int, Field(ge=0, le=2**31)],
            {"type": "integer", "format": "int64", "minimum": 0, "maximum": 2**31},
        ),
        (
            Annotated[list[Short], Field(max_length=3)],
            {"type": "array", "maxItems": 3, "items": {"type": "string", "maxLength": 8}},
        ),
        (
            Annotated[tuple[Short, ...], Field(max_length=3), ListSet()],
            {
                "type": "array",
                "maxItems": 3,
                "items": {"type": "string", "maxLength": 8},
                "x-kubernetes-list-type": "set",
            },
        ),
        (
            Annotated[dict[str, bool], Field(max_length=3)],
            {"type": "object", "maxProperties": 3, "additionalProperties": {"type": "boolean"}},
        ),
    ],
)
def test_a_type_has_its_schema(annotation: Any, expected: dict[str, Any]) -> None:
    assert schema_of(annotation) == expected


@pytest.mark.parametrize(
    "annotation",
    [
        bool,
        int,
        Short,
        Colour,
        datetime,
        Point,
        Ruled,
        Annotated[list[Point], Field(max_length=3), ListMap("label")],
        Annotated[dict[str, Point], Field(max_length=3)],
        Annotated[str, Field(max_length=8, pattern="^[a-z]+$"), Cel("self != 'x'", "must not be x")],
    ],
)
def test_an_optional_property_is_the_property(annotation: Any) -> None:
    assert schema_of(annotation | None, None) == schema_of(annotation)


def test_defaults_stay_out_of_the_schema() -> None:
    assert "default" not in str(structural_schema(Point))


def test_a_docstring_is_the_description() -> None:
    class Described(KindModel):
        size: int = 1
        """How big
        it is."""

    assert structural_schema(Described)["properties"]["size"]["description"] == "How big it is."


def test_the_keys_of_a_list_map_are_named() -> None:
    found = schema_of(Annotated[list[Point], Field(max_length=3), ListMap("label")])
    assert found["x-kubernetes-list-type"] == "map"
    assert found["x-kubernetes-list-map-keys"] == ["label"]


def rules(schema: dict[str, Any]) -> list[Rule]:
    found: list[Rule] = schema["x-kubernetes-validations"]
    return found


def test_the_rules_of_a_model_are_where_the_model_is_used() -> None:
    expected = [{"rule": "self.low < self.high", "message": "low must be lower", "fieldPath": ".low"}]
    assert rules(structural_schema(Ruled)) == expected
    assert rules(schema_of(Ruled)) == expected
    assert rules(schema_of(Annotated[list[Ruled], Field(max_length=3)])["items"]) == expected


def test_an_immutable_property_says_so() -> None:
    assert rules(schema_of(Annotated[Short, Immutable("stays")])) == [{"rule": "self == oldSelf", "message": "stays"}]


def test_rules_of_a_model_and_of_its_use_are_both_kept() -> None:
    found = schema_of(Annotated[Ruled, Immutable("stays"), Cel("true", "never")])
    assert [rule["message"] for rule in rules(found)] == ["low must be lower", "stays", "never"]


def test_rules_of_an_optional_property_and_of_its_type_are_both_kept() -> None:
    found = schema_of(Annotated[Ruled | None, Immutable("stays")], None)
    assert [rule["message"] for rule in rules(found)] == ["low must be lower", "stays"]


def test_a_subclass_keeps_the_rules_it_names() -> None:
    class Mine(ManagedSpec):
        cel: ClassVar[tuple[Cel, ...]] = (Cel("true", "mine"), *ManagedSpec.cel)

    expected = ["mine", *(rule.message for rule in ManagedSpec.cel)]
    assert [rule["message"] for rule in rules(structural_schema(Mine))] == expected


# What it refuses


class Loop(KindModel):
    children: Annotated[list[Loop], Field(max_length=2)] | None = None


@pytest.mark.parametrize(
    ("annotation", "complaint"),
    [
        (str, "a string needs max_length"),
        (UUID, "a string needs max_length"),
        (list[int], "a list needs max_length"),
        (tuple[int, ...], "a list needs max_length"),
        (dict[str, int], "a map needs max_length"),
        (dict[str, Any], "a free-form object is not bounded"),
        (Any, "has no type"),
        (Short | int, "cannot choose between 2 types"),
        (Short | int | None, "cannot choose between 2 types"),
        (Annotated[set[int], Field(max_length=2)], "cannot say uniqueItems"),
        (tuple[int, int], "cannot say prefixItems"),
        (Literal["a"], "cannot say const"),
        (Annotated[int, Field(gt=0)], "cannot say exclusiveMinimum"),
        (Annotated[int, Field(lt=0)], "cannot say exclusiveMaximum"),
        (Annotated[int, Field(multiple_of=2)], "cannot say multipleOf"),
        (Annotated[dict[Short, int], Field(max_length=2)], "cannot say propertyNames"),
        (Annotated[str, Field(max_length=8, pattern=r"^\S+$")], "must say which characters it means"),
        (Annotated[str, Field(max_length=8, pattern=r"^\d+$")], "must say which characters it means"),
        (Annotated[str, Field(max_length=8, pattern=r"^\w+$")], "must say which characters it means"),
        (Loop, "cannot contain itself"),
    ],
)
def test_what_a_crd_cannot_say_is_refused_with_its_path(annotation: Any, complaint: str) -> None:
    with pytest.raises(SchemaError, match=complaint) as caught:
        schema_of(annotation)
    assert str(caught.value).startswith("Model.it")


@pytest.mark.parametrize(
    ("annotation", "path"),
    [
        (Annotated[list[str], Field(max_length=2)], r"Model\.it\[\]:"),
        (Annotated[dict[str, str], Field(max_length=2)], r"Model\.it\.\*:"),
        (Annotated[list[list[int]], Field(max_length=2)], r"Model\.it\[\]:"),
        (str | None, r"Model\.it:"),
    ],
)
def test_the_path_leads_to_the_part(annotation: Any, path: str) -> None:
    with pytest.raises(SchemaError, match=path):
        schema_of(annotation)


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


def test_a_tagged_union_is_refused() -> None:
    with pytest.raises(SchemaError, match="oneOf"):
        schema_of(Annotated[Cat | Dog, Field(discriminator="kind")])


@pytest.mark.parametrize("expression", ["(?=a)b", "(?<!a)b", r"(a)\1"])
def test_a_pattern_that_re2_does_not_know_makes_no_model(expression: str) -> None:
    with pytest.raises(PydanticSchemaError):
        schema_of(Annotated[str, Field(max_length=8, pattern=expression)])


# What the API server accepts, the model reads


def part_of(kind: Any, part: str) -> dict[str, Any]:
    version = kind.crd["spec"]["versions"][0]
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]["properties"][part]
    return found


def patterns(schema: dict[str, Any]) -> Iterator[str]:
    if "pattern" in schema:
        yield schema["pattern"]
    for part in (*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")):
        if part:
            yield from patterns(part)


PATTERNS = sorted({found for kind in KINDS for found in patterns(part_of(kind, "spec"))})
ODD = (
    "a",
    "A",
    "1",
    "-",
    ".",
    "/",
    " ",
    "\t",
    "\n",
    "\v",
    "\r",
    "\x1c",
    "\x85",
    "\xa0",
    "\u0661",
    "\u2028",
    "\u3000",
    "é",
)


@pytest.mark.parametrize("expression", PATTERNS)
def test_a_pattern_means_the_same_to_the_api_server_and_to_the_model(expression: str) -> None:
    model: TypeAdapter[str] = TypeAdapter(Annotated[str, Field(pattern=expression)])
    server = pattern(expression)
    for characters in itertools.product(("", *ODD), repeat=3):
        text = "".join(characters)
        assert reads(model, text) == bool(server.search(text)), repr(text)


def reads(model: TypeAdapter[str], text: str) -> bool:
    try:
        model.validate_python(text)
    except ValidationError:
        return False
    return True


SPECS = {kind.names.kind: instances(part_of(kind, "spec")) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.names.kind)
@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_the_crd_accepts_the_model_reads_and_writes_back(kind: Any, data: st.DataObject) -> None:
    schema = part_of(kind, "spec")
    accepted = data.draw(SPECS[kind.names.kind])
    assert list(problems(schema, accepted)) == []
    spec = kind.spec_model.model_validate(accepted)
    written = spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert list(problems(schema, written)) == []
    assert kind.spec_model.model_validate(written) == spec
