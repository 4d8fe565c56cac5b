"""Bodies with objects within: read like the outermost one."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import Field

from coder_enterprise.server.errors import BadRequest
from coder_enterprise.server.routes.bodies import expects, parse
from coder_enterprise.server.routes.openapi import document
from coder_enterprise.wire.common import WireModel
from tests.support.api import Client, checked

REFERENCE = re.compile(r'"\$ref": "#/([^"]+)"')


class Inner(WireModel):
    a: int = 1
    text: str = ""


class Needed(WireModel):
    name: str


class Outer(WireModel):
    one: Inner = Field(default_factory=Inner)
    maybe: Inner | None = None
    many: list[Inner] = Field(default_factory=list)
    maybe_many: list[Inner] | None = None
    needed: list[Needed] = Field(default_factory=list)
    words: dict[str, str] = Field(default_factory=dict)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"One": {"A": 2}}, {"one": {"a": 2}}),
        ({"one": {"a": None, "unknown": {}}}, {"one": {}}),
        ({"one": None, "maybe": None, "maybe_many": None}, {}),
        ({"MAYBE": {"TEXT": "x"}}, {"maybe": {"text": "x"}}),
        ({"many": [{"A": 3}, {"a": None}]}, {"many": [{"a": 3}, {}]}),
        ({"maybe_many": [{"A": 3}]}, {"maybe_many": [{"a": 3}]}),
        ({"many": [None]}, {"many": [{}]}),
        ({"words": {"Key": "Value", "KEY": "x"}}, {"words": {"Key": "Value", "KEY": "x"}}),
    ],
)
def test_an_object_within_is_read_like_the_outermost(sent: dict[str, Any], expected: dict[str, Any]) -> None:
    assert parse(json.dumps(sent).encode(), Outer) == Outer.model_validate(expected)


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"one": {"A": "2"}}, "one.a"),
        ({"one": 5}, "one"),
        ({"many": {}}, "many"),
        ({"many": [{}, {"Text": 3}]}, "many.1.text"),
        ({"needed": [{"Name": "x"}, {"name": None}]}, "needed.1.name"),
    ],
)
def test_a_field_within_is_refused_by_its_path(sent: dict[str, Any], field: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse(json.dumps(sent).encode(), Outer)
    assert list(refused.value.validations) == [field]


async def test_every_reference_in_the_openapi_document_leads_somewhere(owner: Client) -> None:
    document = checked(await owner.get("/openapi.json"))
    references = set(REFERENCE.findall(json.dumps(document)))
    assert references
    for reference in references:
        found: Any = document
        for part in reference.split("/"):
            found = found[part]


def test_a_body_is_described_with_the_objects_within() -> None:
    app = FastAPI()

    @app.post("/", openapi_extra=expects(Outer))
    async def post() -> None:
        """Nothing."""

    schemas = document(app.routes)["components"]["schemas"]
    inner = schemas["Outer"]["properties"]["many"]["items"]["$ref"].rpartition("/")[2]
    assert schemas[inner]["properties"]["a"]["type"] == "integer"
