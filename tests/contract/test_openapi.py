"""The committed OpenAPI document: as generated, complete, and as the contract page says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import pytest

from coder_enterprise.server.errors import RequestError
from tests.support.contract import Record, key, records
from tools.generate import __main__ as generate

DOCUMENT: Final[dict[str, Any]] = json.loads(next(iter(generate.openapi().values())))
HELD: Final = records()


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def operation_of(record: Record) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][f"/api/v2{record['path']}"][record["method"].lower()]
    return found


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    found: Any = DOCUMENT
    if "$ref" not in schema:
        return schema
    for part in schema["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return resolved(found)


def test_the_committed_document_is_up_to_date() -> None:
    for path, text in generate.openapi().items():
        assert path.read_text() == text, "run `make generate`"


@pytest.mark.parametrize("record", HELD, ids=key)
def test_a_record_of_the_page_is_described(record: Record) -> None:
    operation = operation_of(record)
    assert operation["summary"] == record["title"]
    assert operation["tags"] == ["Enterprise"]
    assert str(record["status"]) in operation["responses"]
    successes = [status for status in operation["responses"] if int(status) < 400]
    assert successes in ([str(record["status"])], [])
    described = {item["name"] for item in operation.get("parameters", ()) if item["in"] == "path"}
    assert described == {item["name"] for item in record["parameters"] if item["in"] == "path"}
    assert ("requestBody" in operation) == (record["request"] is not None)


@pytest.mark.parametrize("record", [record for record in HELD if record["request"]], ids=key)
def test_a_body_of_the_page_is_described(record: Record) -> None:
    content = operation_of(record)["requestBody"]["content"]["application/json"]
    assert set(content["schema"]) == {"$ref"}
    assert set(resolved(content["schema"])["properties"]) >= set(record["request"]["fields"])


@pytest.mark.parametrize("record", [record for record in HELD if record["response"]], ids=key)
def test_an_answer_of_the_page_is_described_with_every_field_required(record: Record) -> None:
    answer = operation_of(record)["responses"][str(record["status"])]
    schema, shape = resolved(answer["content"]["application/json"]["schema"]), record["response"]
    assert schema["type"] == shape["type"]
    if shape["type"] == "array":
        schema, shape = resolved(schema["items"]), shape["items"]
    assert set(schema["properties"]) == set(schema["required"]) == set(shape["fields"])


def test_every_refusal_is_an_envelope_and_none_is_422() -> None:
    for method, path, operation in operations():
        refused = {status: answer for status, answer in operation["responses"].items() if int(status) >= 400}
        assert {"400", "500"} <= set(refused), (method, path)
        assert "422" not in refused, (method, path)
        for answer in refused.values():
            schemas = [content["schema"] for content in resolved(answer)["content"].values()]
            assert {"$ref": "#/components/schemas/Envelope"} in schemas, (method, path)


def test_every_status_of_a_refusal_is_described_somewhere() -> None:
    described = {status for _, _, operation in operations() for status in operation["responses"]}
    assert {str(error.status) for error in _all_below(RequestError)} <= described


def _all_below(error: type[RequestError]) -> set[type[RequestError]]:
    return {error}.union(*(_all_below(below) for below in error.__subclasses__()))


def test_what_needs_a_token_says_which_and_that_it_may_be_refused() -> None:
    schemes = DOCUMENT["components"]["securitySchemes"]
    assert {(scheme.get("in"), scheme.get("name")) for scheme in schemes.values()} >= {
        ("header", "Coder-Session-Token"),
        ("cookie", "coder_session_token"),
    }
    for method, path, operation in operations():
        if operation["security"]:
            assert {"401", "403"} <= set(operation["responses"]), (method, path)
            assert {name for item in operation["security"] for name in item} <= set(schemes), (method, path)


def test_every_parameter_is_described() -> None:
    for method, path, operation in operations():
        for parameter in operation.get("parameters", ()):
            assert parameter["description"], (method, path, parameter["name"])


def test_it_holds_nothing_of_the_machine_it_was_made_on() -> None:
    assert not re.search(r"/(home|root|tmp|usr|work)/|localhost|127\\.0\\.0\\.1", json.dumps(DOCUMENT))
