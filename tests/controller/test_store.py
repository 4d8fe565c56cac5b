"""The store: which version of an object is kept, and how objects are found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from coder_enterprise.controller.store import Store
from coder_enterprise.kinds.machinery.resource import Key, Resource

KEY = Key("CoderGroup", "default", "platform")


def index(resource: Resource) -> Iterator[tuple[str, str]]:
    yield ("secret", resource.spec.get("secret", ""))


def body(version: int, *, uid: str = "u1", **meta: Any) -> Resource:
    spec = meta.pop("spec", {})
    metadata = {
        "namespace": "default",
        "name": "platform",
        "uid": uid,
        "resourceVersion": str(version),
        **meta,
    }
    return Resource.from_body("CoderGroup", {"metadata": metadata, "spec": spec})


Changes = list[tuple[str | None, str | None]]


@pytest.fixture
def changes() -> Changes:
    """What the store has told: versions before and after."""
    return []


@pytest.fixture
def store(changes: Changes) -> Store:
    def on_change(known: Resource | None, resource: Resource | None) -> None:
        before, after = (item.resource_version if item else None for item in (known, resource))
        changes.append((before, after))

    return Store(index, on_change)


def test_a_newer_version_replaces_an_older_one(store: Store) -> None:
    assert store.put(body(9))
    assert store.put(body(10))
    assert store.get(KEY) == body(10)


def test_an_older_version_is_ignored(store: Store) -> None:
    store.put(body(10))
    assert not store.put(body(9))
    assert not store.put(body(10))
    assert store.get(KEY) == body(10)


def test_a_version_that_is_shown_in_another_way_replaces_what_is_known_of_it(store: Store) -> None:
    """An API server drops what the CRD of the moment does not have, without a new version."""
    store.put(body(10))
    whole = replace(body(10), status={"memberCount": 3})
    assert store.put(whole)
    assert store.get(KEY) == whole
    assert not store.put(whole)


def test_an_object_that_was_made_anew_replaces_the_deleted_one(store: Store) -> None:
    store.put(body(10))
    store.remove(KEY, "u1")
    assert store.put(body(12, uid="u2"))
    assert store.get(KEY) == body(12, uid="u2")


def test_a_late_answer_does_not_bring_a_deleted_object_back(store: Store) -> None:
    store.put(body(10))
    store.remove(KEY, "u1")
    assert not store.put(body(11))
    assert store.get(KEY) is None


def test_a_late_deletion_does_not_remove_the_successor(store: Store) -> None:
    store.put(body(12, uid="u2"))
    store.remove(KEY, "u1")
    assert store.get(KEY) is not None


def test_an_object_without_finalizers_on_its_way_out_is_gone(store: Store) -> None:
    store.put(body(10, finalizers=["x"]))
    store.put(body(11, deletionTimestamp="2026-01-01T00:00:00Z"))
    assert store.get(KEY) is None
    assert len(store) == 0


def test_objects_are_found_by_what_they_refer_to(store: Store) -> None:
    store.put(body(10, spec={"secret": "token"}))
    assert store.find(("secret", "token")) == (KEY,)
    store.put(body(11, spec={"secret": "other"}))
    assert store.find(("secret", "token")) == ()
    store.remove(KEY, "u1")
    assert store.find(("secret", "other")) == ()


def test_one_thing_may_be_referred_to_twice() -> None:
    store = Store(lambda resource: [("secret", resource.spec["secret"])] * 2, lambda *_: None)
    store.put(body(1, spec={"secret": "a"}))
    store.put(body(2, spec={"secret": "b"}))
    assert (store.find(("secret", "a")), store.find(("secret", "b"))) == ((), (KEY,))


def test_two_objects_under_one_term_are_both_found_and_each_can_go() -> None:
    store = Store(index, lambda *_: None)
    store.put(body(10, spec={"secret": "token"}))
    other = Resource.from_body(
        "CoderGroup",
        {
            "metadata": {"namespace": "default", "name": "another", "uid": "u2", "resourceVersion": "11"},
            "spec": {"secret": "token"},
        },
    )
    store.put(other)
    assert store.find(("secret", "token")) == (other.key, KEY)
    store.remove(KEY, "u1")
    assert store.find(("secret", "token")) == (other.key,)
    store.remove(other.key, "u2")
    assert not store.has(("secret", "token"))


def test_what_goes_with_another_spec_than_it_had_leaves_nothing_behind(store: Store) -> None:
    store.put(body(10, spec={"secret": "token"}))
    store.put(body(11, spec={"secret": "other"}, deletionTimestamp="2026-01-01T00:00:00Z"))
    assert not store.has(("secret", "token"))
    assert not store.has(("secret", "other"))


def test_each_change_is_told_once(store: Store, changes: Changes) -> None:
    store.put(body(9))
    store.put(body(10))
    store.put(body(9))
    store.put(body(10))
    store.remove(KEY, "u1")
    store.remove(KEY, "u1")
    assert changes == [(None, "9"), ("9", "10"), ("10", None)]


def test_an_object_that_replaces_another_is_told_as_two_changes(store: Store, changes: Changes) -> None:
    store.put(body(9))
    store.put(body(12, uid="u2"))
    assert changes == [(None, "9"), ("9", None), (None, "12")]


def test_a_late_version_of_a_predecessor_does_not_replace_the_successor(store: Store) -> None:
    store.put(body(12, uid="u2"))
    assert not store.put(body(11, uid="u1"))
    assert store.get(KEY) == body(12, uid="u2")
