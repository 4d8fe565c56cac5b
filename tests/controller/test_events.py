"""Kubernetes events: once per transition, counted when repeated, never in the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest

from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.errors import KubernetesError
from coder_enterprise.controller.events import MAX_KEPT, MAX_QUEUED, MAX_SERIES, SERIES_WINDOW, Recorder
from coder_enterprise.kinds.machinery.resource import Resource
from tests.support.engine import FakeKubernetes

pytestmark = pytest.mark.looptime


def resource(name: str = "one") -> Resource:
    meta = {"namespace": "team", "name": name, "uid": f"uid-{name}", "resourceVersion": "7"}
    return Resource.from_body("Thing", {"metadata": meta})


@asynccontextmanager
async def recording(kubernetes: FakeKubernetes) -> AsyncIterator[Recorder]:
    recorder = Recorder(cast("KubernetesClient", kubernetes))
    task = asyncio.create_task(recorder.run())
    yield recorder
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_an_event_says_what_happened_to_whom() -> None:
    kubernetes = FakeKubernetes()
    async with recording(kubernetes) as recorder:
        recorder.warning(resource(), "Conflict", "Reconcile", "n" * 5000)
        await recorder.drain()
    (event,) = kubernetes.events
    assert (event["type"], event["reason"], event["action"]) == ("Warning", "Conflict", "Reconcile")
    assert event["regarding"]["uid"] == "uid-one"
    assert (event["metadata"]["namespace"], len(event["note"])) == ("team", 1024)


async def test_a_repetition_is_counted_into_the_series_of_the_first() -> None:
    kubernetes = FakeKubernetes()
    async with recording(kubernetes) as recorder:
        for _ in range(3):
            recorder.warning(resource(), "Conflict", "Reconcile", "same")
        recorder.warning(resource(), "Conflict", "Reconcile", "another")
        recorder.warning(resource("two"), "Conflict", "Reconcile", "same")
        await recorder.drain()
    assert [event.get("series", {}).get("count") for event in kubernetes.events] == [3, None, None]


async def test_a_repetition_after_a_while_is_a_new_event() -> None:
    kubernetes = FakeKubernetes()
    async with recording(kubernetes) as recorder:
        recorder.normal(resource(), "Applied", "Reconcile", "same")
        await asyncio.sleep(SERIES_WINDOW + 1)
        recorder.normal(resource(), "Applied", "Reconcile", "same")
        await recorder.drain()
    assert len(kubernetes.events) == 2


async def test_a_repetition_of_an_event_that_was_removed_is_a_new_event() -> None:
    kubernetes = FakeKubernetes()
    async with recording(kubernetes) as recorder:
        recorder.normal(resource(), "Applied", "Reconcile", "same")
        await recorder.drain()
        kubernetes.events.clear()
        recorder.normal(resource(), "Applied", "Reconcile", "same")
        await recorder.drain()
    assert len(kubernetes.events) == 1


async def test_what_cannot_be_posted_is_dropped_and_the_next_is_not() -> None:
    kubernetes = FakeKubernetes()
    kubernetes.fault = lambda *_: KubernetesError(403, "Forbidden", "the namespace is being terminated")
    async with recording(kubernetes) as recorder:
        recorder.normal(resource(), "Applied", "Reconcile", "first")
        await recorder.drain()
        kubernetes.fault = lambda *_: None
        recorder.normal(resource(), "Applied", "Reconcile", "second")
        await recorder.drain()
    assert [event["note"] for event in kubernetes.events] == ["second"]


async def test_when_the_queue_is_full_events_are_dropped_and_nobody_waits() -> None:
    kubernetes = FakeKubernetes()
    recorder = Recorder(cast("KubernetesClient", kubernetes))
    for number in range(MAX_QUEUED + 50):
        recorder.normal(resource(f"r{number}"), "Applied", "Reconcile", "note")
    task = asyncio.create_task(recorder.run())
    await recorder.drain()
    task.cancel()
    assert len(kubernetes.events) == MAX_QUEUED


async def test_series_are_forgotten_oldest_first() -> None:
    kubernetes = FakeKubernetes()
    async with recording(kubernetes) as recorder:
        for number in range(MAX_SERIES + 10):
            recorder.normal(resource(f"r{number}"), "Applied", "Reconcile", "note")
            await recorder.drain()
    assert len(recorder._series) == MAX_SERIES


async def test_what_was_said_of_an_object_is_remembered_with_its_repetitions() -> None:
    recorder = Recorder(cast("KubernetesClient", FakeKubernetes()))
    recorder.normal(resource(), "Applied", "Reconcile", "first")
    recorder.warning(resource(), "Conflict", "Reconcile", "then")
    recorder.normal(resource("two"), "Applied", "Reconcile", "first")
    recorder.normal(resource(), "Applied", "Reconcile", "first")
    found = recorder.about(resource().key)
    assert [(sent.reason, sent.note, sent.warns, sent.times) for sent in found] == [
        ("Applied", "first", False, 2),
        ("Conflict", "then", True, 1),
    ]
    assert found[0].at >= found[1].at


async def test_of_what_was_said_the_newest_are_remembered() -> None:
    recorder = Recorder(cast("KubernetesClient", FakeKubernetes()))
    for number in range(MAX_KEPT + 5):
        recorder.normal(resource(), "Applied", "Reconcile", str(number))
    found = recorder.about(resource().key)
    assert (len(found), found[0].note) == (MAX_KEPT, str(MAX_KEPT + 4))
