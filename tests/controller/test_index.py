"""Under which terms objects are filed."""

from __future__ import annotations

from typing import Any, Final

from coder_enterprise.controller.index import (
    Index,
    of_deployment,
    referring_to,
    using_secret,
    waiting_in,
    with_id,
    with_name,
)
from coder_enterprise.kinds.machinery.resource import Key, Resource
from tests.support.things import ThingKind, WorldDeploymentKind

INDEX: Final = Index(WorldDeploymentKind(), [ThingKind()])


def resource(kind: str, spec: dict[str, Any], status: dict[str, Any] | None = None) -> Resource:
    metadata = {"namespace": "team", "name": "one", "uid": "u1", "resourceVersion": "1"}
    return Resource.from_body(kind, {"metadata": metadata, "spec": spec, "status": status or {}})


def test_an_object_is_filed_under_what_it_belongs_to_stands_for_needs_and_waits_for() -> None:
    spec = {"deploymentRef": {"namespace": "system"}, "secret": "key", "follows": "two"}
    found = set(INDEX.terms(resource("Thing", spec, {"id": "t-1", "pending": "three"})))
    deployment = Key("CoderDeployment", "system", "coder")
    assert found == {
        of_deployment(deployment),
        waiting_in(deployment),
        with_id("Thing", "t-1"),
        with_name("Thing", "one"),
        using_secret("team", "key"),
        referring_to(Key("Thing", "team", "two")),
    }


def test_an_id_is_no_name() -> None:
    assert with_id("Thing", "same") != with_name("Thing", "same")


def test_a_spec_that_nobody_understands_still_belongs_to_its_deployment() -> None:
    found = set(INDEX.terms(resource("Thing", {"color": ["no", "text"], "deploymentRef": {"name": "other"}})))
    assert found == {of_deployment(Key("CoderDeployment", "team", "other"))}


def test_a_coder_deployment_is_filed_under_its_secrets() -> None:
    spec = {
        "url": "https://coder.test",
        "tokenSecretRef": {"name": "token"},
        "caBundleSecretRef": {"name": "trust"},
    }
    assert set(INDEX.terms(resource("CoderDeployment", spec))) == {
        using_secret("team", "token"),
        using_secret("team", "trust"),
    }
