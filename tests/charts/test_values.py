"""The values of the chart: each is described, each has a type, and mistakes are refused in words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.support.helm import CHART, Helm, HelmFailed, values
from tools.generate.chart import described

VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
OPAQUE = {"nodeAffinity", "podAffinity", "podAntiAffinity", "global"}
"""What Kubernetes itself checks, or Helm."""


def paths(tree: Any, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every key of values.yaml, but for those of Kubernetes' own resources and of labels."""
    for key, value in tree.items():
        path = (*before, key)
        yield path
        if isinstance(value, dict) and key not in ("resources", "labels"):
            yield from paths(value, path)


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").removeprefix("#/$defs/")
    return SCHEMA["$defs"][name] if name else schema


def objects(schema: dict[str, Any], name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema of an object, with the name of its key."""
    schema = resolved(schema)
    if schema.get("type") == "object":
        yield name, schema
    for key, inner in schema.get("properties", {}).items():
        yield from objects(inner, key)
    if "items" in schema:
        yield from objects(schema["items"], name)


def test_every_value_is_described() -> None:
    told = {value.path for value in described((CHART / "values.yaml").read_text())}
    assert {".".join(path) for path in paths(VALUES)} - {".".join(path) for path in told} == set()


def test_the_schema_knows_the_values_and_no_others() -> None:
    def known(schema: dict[str, Any], before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
        for key, inner in resolved(schema).get("properties", {}).items():
            yield (*before, key)
            if key not in ("resources", "affinity", "env", "tolerations"):
                yield from known(inner, (*before, key))

    assert set(known(SCHEMA)) == set(paths(VALUES)) | {("global",)}


def test_no_object_takes_what_nobody_has_heard_of() -> None:
    open_ones = [
        name
        for name, schema in objects(SCHEMA)
        if schema.get("additionalProperties") is not False
        and "type" not in (schema.get("additionalProperties") or {})
        and name not in OPAQUE
    ]
    assert open_ones == []


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("typo=1", "additional properties 'typo' not allowed"),
        ("operator.replica=2", "at '/operator': additional properties 'replica' not allowed"),
        ("server.postgresql.secret=db", "at '/server/postgresql': additional properties 'secret' not allowed"),
        ("server.enabled=maybe", "at '/server/enabled': got string, want boolean"),
        ("operator.replicas=two", "at '/operator/replicas': got string, want integer"),
        ("image.digest=latest", "at '/image/digest'"),
        ("watchNamespaces={Team_A}", "at '/watchNamespaces/0'"),
        ("server.env[0].name=A", "at '/server/env/0'"),
    ],
)
def test_a_typo_is_refused(offline: Helm, setting: str, message: str) -> None:
    with pytest.raises(HelmFailed) as refused:
        offline.template("--set", setting)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"server__enabled": "true", "server__postgresql__secretName": "db", "server__sqlite__size": "2Gi"},
            "server.sqlite and server.postgresql are both set: one database is enough",
        ),
        (
            {"server__enabled": "true", "server__replicas": "2"},
            "server.replicas is 2, but SQLite serves exactly one: set it to 1, or name a PostgreSQL database",
        ),
        (
            {"server__enabled": "true", "deployment__url": "https://coder.example.com"},
            "deployment.url and deployment.tokenSecretRef are for a Coder that is there already",
        ),
        ({"deployment__url": "https://coder.example.com"}, "deployment.tokenSecretRef.name is missing"),
        ({"deployment__tokenSecretRef__name": "coder-token"}, "deployment.url is missing"),
        (
            {"server__enabled": "true", "watchNamespaces": "{team-a}"},
            "watchNamespaces lacks coder-enterprise, where the CoderDeployment is made",
        ),
        (
            {"server__enabled": "true", "server__env[0]__name": "CODER_HTTP_ADDRESS", "server__env[0]__value": "x"},
            "server.env: CODER_HTTP_ADDRESS is set by the chart",
        ),
        (
            {"server__enabled": "true", "server__trustedProxies__headers": "{X-Forwarded-For}"},
            "server.trustedProxies.headers and server.trustedProxies.origins need each other",
        ),
    ],
    ids=[
        "both databases",
        "two on SQLite",
        "two Coders",
        "no token",
        "no url",
        "unwatched",
        "set twice",
        "half a proxy",
    ],
)
def test_values_that_contradict_each_other_are_refused(offline: Helm, settings: dict[str, str], message: str) -> None:
    with pytest.raises(HelmFailed) as refused:
        offline.template(*values(**settings))
    assert message in str(refused.value)
