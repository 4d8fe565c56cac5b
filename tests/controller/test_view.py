"""What the page can ask of the operator."""

from __future__ import annotations

import asyncio

import pytest

from coder_enterprise.controller.engine import SWEEP_INTERVAL
from coder_enterprise.kinds.machinery.resource import Key
from tests.support.engine import Cluster

pytestmark = pytest.mark.looptime


async def test_it_shows_each_object_and_how_its_coder_answered(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.thing("one")
    await cluster.until(lambda: cluster.is_applied("one"))
    view = cluster.engine.view
    assert view.listed
    (deployment,) = view.deployments()
    assert deployment.key.name == "coder"
    one = view.get(Key("Thing", "team", "one"))
    assert one is not None
    assert one.ready
    assert view.deployment_of(one) == deployment.key
    probe = view.probe(deployment.key)
    assert probe is not None
    assert probe.usable
    assert view.directory(deployment.key) is not None


async def test_a_coder_that_another_replica_asks_has_no_answers_here(cluster: Cluster) -> None:
    await cluster.start()
    other = Key("CoderDeployment", "team", "other")
    assert cluster.engine.view.probe(other) is None
    assert cluster.engine.view.directory(other) is None


async def test_who_refers_to_an_object_is_found_also_when_it_is_not_there(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.thing("first", follows="second")
    view, second = cluster.engine.view, Key("Thing", "team", "second")
    await cluster.until(lambda: view.waited_for_by(second))
    (first,) = (view.get(key) for key in view.waited_for_by(second))
    assert first is not None
    assert view.waits_for(first) == (second,)
    assert view.get(second) is None


async def test_where_there_is_nothing_any_more_is_forgotten_and_not_that_something_was_there(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.connect("coder", "guests")
    cluster.thing("one")
    cluster.thing("two", "guests")
    await cluster.until(lambda: cluster.is_applied("one") and cluster.is_applied("two", "guests"))
    view = cluster.engine.view
    cluster.kubernetes.delete("things", "two", "guests")
    await cluster.until(lambda: cluster.body("things", "two", "guests") is None)
    newest = view.revisions["Thing", "guests"]
    await asyncio.sleep(2 * SWEEP_INTERVAL)
    there = {("Thing", "team"), ("CoderDeployment", "team"), ("CoderDeployment", "guests")}
    assert set(view.revisions) == {*there, ("Thing", "")}
    assert view.revisions["Thing", ""] >= newest


async def test_each_change_is_told_until_nobody_wants_to_hear_it(cluster: Cluster) -> None:
    await cluster.begin()
    view, told = cluster.engine.view, list[Key]()
    end = view.subscribe(told.append)
    before = view.revision
    cluster.thing("one")
    await cluster.until(lambda: cluster.is_applied("one"))
    assert Key("Thing", "team", "one") in told
    assert view.revision > before
    end()
    told.clear()
    cluster.kubernetes.delete("things", "one")
    await cluster.until(lambda: view.get(Key("Thing", "team", "one")) is None)
    assert not told
