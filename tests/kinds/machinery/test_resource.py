"""A custom resource as the operator keeps it."""

from __future__ import annotations

from typing import Any

import pytest

from coder_enterprise.kinds.machinery.resource import FORCE_DETACH, Key, Resource

READY = {"type": "Ready", "status": "True", "reason": "Applied"}


def resource(status: dict[str, Any] | None = None, **meta: Any) -> Resource:
    metadata = {"namespace": "default", "name": "platform", "uid": "u1", "resourceVersion": "7", **meta}
    return Resource.from_body("CoderGroup", {"metadata": metadata, "status": status})


def test_an_object_with_only_what_it_must_have_is_read() -> None:
    found = Resource.from_body(
        "CoderGroup", {"metadata": {"namespace": "a", "name": "b", "uid": "c", "resourceVersion": "1"}}
    )
    assert found.key == Key("CoderGroup", "a", "b")
    assert (found.generation, found.deleting, found.finalizers) == (1, False, ())
    assert (found.spec, found.status, found.external_id, found.ready) == ({}, {}, None, False)


def test_only_our_own_annotations_are_kept() -> None:
    annotations = {FORCE_DETACH: "true", "kubectl.kubernetes.io/last-applied-configuration": "{}"}
    assert resource(annotations=annotations).annotations == {FORCE_DETACH: "true"}


def test_the_oldest_comes_first_and_the_uid_decides_within_a_second() -> None:
    old = resource(creationTimestamp="2026-01-01T00:00:00Z", uid="z")
    young = resource(creationTimestamp="2026-01-01T00:00:01Z", uid="b")
    twin = resource(creationTimestamp="2026-01-01T00:00:01Z", uid="a")
    assert sorted([young, twin, old], key=lambda item: item.age) == [old, twin, young]


@pytest.mark.parametrize(
    ("status", "generation", "deletion", "settled"),
    [
        ({"conditions": [READY], "observedGeneration": 2}, 2, None, True),
        ({"conditions": [READY], "observedGeneration": 1}, 2, None, False),
        ({"conditions": [READY | {"status": "False"}], "observedGeneration": 2}, 2, None, False),
        ({"conditions": [READY], "observedGeneration": 2}, 2, "2026-01-01T00:00:00Z", False),
        ({"conditions": None, "observedGeneration": 2}, 2, None, False),
        ({}, 2, None, False),
    ],
)
def test_an_object_is_settled_when_its_present_spec_is_applied(
    status: dict[str, Any], generation: int, deletion: str | None, settled: bool
) -> None:
    assert resource(status, generation=generation, deletionTimestamp=deletion).settled is settled


@pytest.mark.parametrize(("recorded", "expected"), [("x", "x"), ("", None), (None, None)])
def test_an_empty_id_is_none(recorded: str | None, expected: str | None) -> None:
    assert resource({"id": recorded}).external_id == expected


def test_a_key_reads_as_kubectl_writes_it() -> None:
    assert str(Key("CoderGroup", "default", "platform")) == "CoderGroup default/platform"


@pytest.mark.parametrize("status", ["x", {"conditions": "x"}, {"conditions": ["x", {}, {"type": "Ready", "of": []}]}])
def test_what_another_version_of_a_crd_let_pass_is_as_good_as_not_there(status: Any) -> None:
    metadata = {"name": "a", "namespace": "b", "uid": "c", "resourceVersion": "1"}
    resource = Resource.from_body("CoderGroup", {"metadata": metadata, "spec": {"deploymentRef": 1}, "status": status})
    assert resource.condition("Ready") is None
    assert resource.deployment == ("b", "coder")
