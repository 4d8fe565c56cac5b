"""The CustomResourceDefinitions: committed as generated, and shaped as kubectl, Argo CD and Flux expect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from coder_enterprise.kinds.machinery import crd
from coder_enterprise.kinds.machinery.common import STATUS_DEFAULT
from coder_enterprise.kinds.machinery.resource import GROUP
from coder_enterprise.kinds.registry import KINDS
from tests.support.structural import problems
from tools.generate import __main__ as generate

BY_KIND = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.names.kind)


def version_of(kind: Any) -> dict[str, Any]:
    [version] = kind.crd["spec"]["versions"]
    found: dict[str, Any] = version
    return found


def test_the_committed_definitions_are_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.check(generate.crds()) == 0, capsys.readouterr().out


def test_a_definition_that_was_changed_by_hand_is_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    wanted = generate.crds()
    path = next(iter(wanted))
    assert generate.check(wanted | {path: wanted[path] + "# mine\n"}) == 1
    assert "+# mine" in capsys.readouterr().out


def test_a_definition_without_a_kind_is_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    wanted = generate.crds()
    path = next(iter(wanted))
    del wanted[path]
    assert generate.check(wanted) == 1
    assert f"{path.name}: its kind does not exist" in capsys.readouterr().out


@BY_KIND
def test_the_names_agree(kind: Any) -> None:
    names = kind.crd["spec"]["names"]
    assert names["kind"] == kind.names.kind
    assert names["plural"] == kind.names.plural
    assert names["singular"] == kind.names.singular
    assert names["shortNames"] == [kind.names.short]
    assert names["categories"] == ["coder"]
    assert kind.crd["metadata"]["name"] == f"{kind.names.plural}.{GROUP}"
    assert kind.crd["spec"]["scope"] == "Namespaced"


@BY_KIND
def test_an_object_says_that_it_waits_before_the_first_visit(kind: Any) -> None:
    status = version_of(kind)["schema"]["openAPIV3Schema"]["properties"]["status"]
    assert status["default"] == STATUS_DEFAULT
    assert list(problems(status, status["default"])) == []


@BY_KIND
def test_a_spec_is_required_and_has_no_defaults(kind: Any) -> None:
    """Defaults would be written into stored objects: today's choice, for ever, and drift for GitOps."""
    schema = version_of(kind)["schema"]["openAPIV3Schema"]
    assert schema["required"] == ["spec"]
    assert list(defaults(schema["properties"]["spec"])) == []


def defaults(schema: dict[str, Any], path: str = "spec") -> Iterator[str]:
    if "default" in schema:
        yield path
    for name, item in schema.get("properties", {}).items():
        yield from defaults(item, f"{path}.{name}")
    for inner in ("items", "additionalProperties"):
        if inner in schema:
            yield from defaults(schema[inner], f"{path}.{inner}")


@BY_KIND
def test_a_kind_its_spec_and_its_status_say_what_they_are(kind: Any) -> None:
    root = kind.crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert all(part["description"] for part in (root, root["properties"]["spec"], root["properties"]["status"]))


@BY_KIND
def test_status_is_a_subresource(kind: Any) -> None:
    assert version_of(kind)["subresources"]["status"] == {}


@BY_KIND
def test_a_scale_subresource_points_at_fields_that_exist(kind: Any) -> None:
    version = version_of(kind)
    for path in version["subresources"].get("scale", {}).values():
        found = version["schema"]["openAPIV3Schema"]
        for step in path.strip(".").split("."):
            found = found["properties"][step]


@BY_KIND
def test_columns_begin_with_readiness_and_end_with_age(kind: Any) -> None:
    columns = [column["name"] for column in version_of(kind)["additionalPrinterColumns"]]
    assert columns[:2] == ["Ready", "Reason"]
    assert columns[-1] == "Age"
    assert "External ID" in columns or kind.names.kind == "CoderDeployment"


@BY_KIND
def test_each_column_shows_a_field_that_exists(kind: Any) -> None:
    schema = version_of(kind)["schema"]["openAPIV3Schema"]
    for column in version_of(kind)["additionalPrinterColumns"]:
        steps = column["jsonPath"].partition("[")[0].strip(".").split(".")
        found = schema
        for step in steps if steps[0] != "metadata" else ():
            found = found["properties"][step]
        assert found["type"] in {column["type"], "array", "object"}, column


@BY_KIND
def test_the_written_definition_reads_back_the_same_without_anchors(kind: Any) -> None:
    text = crd.to_yaml(kind.crd)
    assert text.startswith(crd.HEADER)
    assert "&id" not in text
    assert yaml.safe_load(text) == kind.crd


def test_a_column_says_only_what_differs_from_the_usual() -> None:
    assert crd.Column("Name", ".spec.name").as_dict() == {"name": "Name", "type": "string", "jsonPath": ".spec.name"}
    wide = crd.Column("Count", ".status.count", type="integer", priority=1, description="How many").as_dict()
    assert wide["priority"] == 1
    assert wide["description"] == "How many"
