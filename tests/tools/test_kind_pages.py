"""The schemas for editors accept what the API server accepts, and mark mistakes; the pages name all reasons."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from coder_enterprise.kinds.machinery.reasons import Reason
from tools.generate.kind_pages import kind_pages

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "docs" / "schemas"


def examples() -> Iterator[Any]:
    for path in sorted((ROOT / "deploy" / "examples").glob("*.yaml")):
        for number, body in enumerate(yaml.safe_load_all(path.read_text())):
            if body and (SCHEMAS / f"{body['kind'].lower()}.json").exists():
                yield pytest.param(path, body, id=f"{path.stem}-{number}")


def schema_of(body: Any) -> Any:
    return json.loads((SCHEMAS / f"{body['kind'].lower()}.json").read_text())


@pytest.mark.parametrize(("path", "body"), list(examples()))
def test_an_example_is_accepted(path: Path, body: Any) -> None:
    jsonschema_rs.validate(schema_of(body), body)


@pytest.mark.parametrize(("path", "body"), list(examples()))
def test_a_field_that_does_not_exist_is_marked(path: Path, body: Any) -> None:
    with pytest.raises(jsonschema_rs.ValidationError):
        jsonschema_rs.validate(schema_of(body), {**body, "spec": {**body["spec"], "displayname": "x"}})


@pytest.mark.parametrize("path", sorted((ROOT / "deploy" / "examples").glob("*.yaml")), ids=lambda path: path.stem)
def test_an_example_names_the_schema_of_each_of_its_documents(path: Path) -> None:
    for text in path.read_text().split("---\n"):
        body = yaml.safe_load(text)
        if body and (SCHEMAS / f"{body['kind'].lower()}.json").exists():
            assert text.startswith(f"# yaml-language-server: $schema=../../docs/schemas/{body['kind'].lower()}.json\n")


def test_each_reason_is_on_the_page_of_a_kind() -> None:
    pages = "\n".join(kind_pages().values())
    assert [reason for reason in Reason if f"| `{reason}` |" not in pages] == []


def test_a_kind_that_needs_no_secret_asks_for_no_right_to_one() -> None:
    pages = kind_pages()
    assert "| `secrets` | get, list, watch |" in pages["coderlicense.md"]
    assert "| `secrets` | get, list, watch, create, patch |" in pages["coderworkspaceproxy.md"]
    assert "| `secrets` |" not in pages["codergroup.md"]
