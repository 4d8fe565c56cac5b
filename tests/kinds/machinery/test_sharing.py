"""What many objects have in common is kept once."""

from __future__ import annotations

import json
from typing import Any

from coder_enterprise.kinds.machinery.resource import Resource
from coder_enterprise.kinds.machinery.sharing import MAX_SHARED, shared

CONDITION = {"type": "Ready", "status": "True", "reason": "Applied", "lastTransitionTime": "2026-01-01T00:00:00Z"}


def event(**status: Any) -> Resource:
    """As the watch brings it: decoded by itself."""
    body = {
        "metadata": {"name": "one", "namespace": "team", "uid": "u1", "resourceVersion": "1"},
        "spec": {"members": {"users": ["ann@example.com"]}},
        "status": status,
    }
    return Resource.from_body("CoderGroup", json.loads(json.dumps(body)))


def test_values_stay_what_they_are() -> None:
    value = {"text": "one", "list": [1, 2.5, None, True, {"deep": ["x" * 100]}], "": ""}
    assert shared(value) == value


def test_names_of_fields_and_short_texts_of_two_objects_are_one() -> None:
    first, second = event(source="user"), event(source="user")
    assert first.status["source"] is second.status["source"]
    assert next(iter(first.spec)) is next(iter(second.spec))
    assert first.spec["members"]["users"][0] is second.spec["members"]["users"][0]


def test_what_only_one_object_has_is_not_remembered() -> None:
    long = "x" * (MAX_SHARED + 1)
    assert shared(json.loads(json.dumps(long))) is not shared(json.loads(json.dumps(long)))


def test_equal_conditions_of_two_objects_are_one_and_others_are_not() -> None:
    first, second, third = (event(conditions=[CONDITION | {"status": status}]) for status in ("True", "True", "False"))
    assert first.status["conditions"][0] is second.status["conditions"][0]
    assert third.status["conditions"][0]["status"] == "False"


def test_a_status_without_conditions_stays_without() -> None:
    assert event(id="g1").status == {"id": "g1"}
    assert event(conditions=None).status == {"conditions": []}
