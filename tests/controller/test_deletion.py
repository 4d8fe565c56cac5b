"""Deleting objects in every order, with every part of the world gone or broken: nothing wedges, nothing leaks."""

from __future__ import annotations

import asyncio

import pytest

from coder_enterprise.client import errors
from coder_enterprise.controller import deletion
from tests.support.engine import Cluster
from tests.support.things import Thing

pytestmark = pytest.mark.looptime


async def begin(cluster: Cluster, name: str = "one", /, **spec: str) -> None:
    """With one thing that is applied."""
    await cluster.begin()
    cluster.thing(name, **spec)
    await cluster.until(lambda: cluster.is_applied(name))


async def gone(cluster: Cluster, name: str = "one", within: float = 5.0) -> None:
    await cluster.until(lambda: cluster.body("things", name) is None, within)


async def test_what_is_gone_from_coder_already_is_no_obstacle(cluster: Cluster) -> None:
    await begin(cluster)
    cluster.coder.things.clear()
    cluster.kubernetes.delete("things", "one")
    await gone(cluster, within=1)


async def test_while_the_server_is_down_the_object_stays_says_why_and_costs_nothing(cluster: Cluster) -> None:
    await begin(cluster)
    cluster.coder.go_down()
    cluster.kubernetes.delete("things", "one")
    await cluster.until(lambda: cluster.reason("one") == "Deleting")
    await cluster.until(lambda: cluster.reason("coder", "coderdeployments") == "Unreachable", within=30)
    assert "force-detach" in cluster.condition("Ready", "one")["message"]
    await asyncio.sleep(60)
    writes, deletes = len(cluster.kubernetes.writes), cluster.coder.count("things.delete")
    await asyncio.sleep(1800)
    assert len(cluster.kubernetes.writes) == writes
    assert cluster.coder.count("things.delete") == deletes
    cluster.coder.come_back()
    await gone(cluster, within=16)
    assert cluster.coder.things == {}


async def test_a_refusal_keeps_the_object_says_why_and_is_tried_again(cluster: Cluster) -> None:
    await begin(cluster)
    cluster.coder.fault = lambda call: errors.BadRequest(400, "in use") if call == "things.delete" else None
    cluster.kubernetes.delete("things", "one")
    await cluster.until(lambda: cluster.reason("one") == "Deleting")
    assert "in use" in cluster.condition("Ready", "one")["message"]
    await asyncio.sleep(300)
    cluster.coder.come_back()
    await gone(cluster, within=61)


async def test_retain_leaves_it_and_needs_no_server(cluster: Cluster) -> None:
    await begin(cluster, deletionPolicy="Retain")
    cluster.coder.go_down()
    cluster.kubernetes.delete("things", "one")
    await gone(cluster, within=1)
    assert len(cluster.coder.things) == 1


async def test_a_suspended_object_goes_without_a_call_and_says_what_stays(cluster: Cluster) -> None:
    await begin(cluster)
    cluster.thing("one", suspend=True)
    await cluster.until(lambda: cluster.reason("one") == "Suspended")
    calls = len(cluster.coder.calls)
    cluster.kubernetes.delete("things", "one")
    await gone(cluster, within=1)
    await cluster.until(lambda: cluster.events("Released"))
    assert "stays in Coder" in cluster.events("Released")[0]["note"]
    assert set(cluster.coder.calls[calls:]) <= {"ping"}
    assert len(cluster.coder.things) == 1


async def test_an_object_that_is_suspended_until_a_time_goes_without_a_call(cluster: Cluster) -> None:
    await begin(cluster)
    cluster.thing("one", suspendUntil=cluster.moment(600))
    await cluster.until(lambda: cluster.reason("one") == "Suspended")
    cluster.kubernetes.delete("things", "one")
    await gone(cluster, within=1)
    assert len(cluster.coder.things) == 1


async def test_an_object_of_a_suspended_deployment_waits_and_stays_when_that_goes(cluster: Cluster) -> None:
    await begin(cluster)
    cluster.connect(suspend=True)
    await cluster.until(lambda: cluster.reason("coder", "coderdeployments") == "Suspended")
    cluster.kubernetes.delete("things", "one")
    await cluster.until(lambda: cluster.reason("one") == "Deleting")
    cluster.kubernetes.delete("coderdeployments", "coder")
    await gone(cluster, within=deletion.ORPHAN_GRACE + 1)
    assert len(cluster.coder.things) == 1


async def test_force_detach_frees_it_in_an_outage_and_says_so(cluster: Cluster) -> None:
    await begin(cluster)
    cluster.coder.go_down()
    cluster.kubernetes.delete("things", "one")
    await cluster.until(lambda: cluster.reason("one") == "Deleting")
    await asyncio.sleep(100)
    cluster.kubernetes.annotate("things", "one", force_detach="true")
    await gone(cluster, within=1)
    await cluster.until(lambda: cluster.events("Released"))
    (event,) = cluster.events("Released")
    assert (event["type"], "stays in Coder" in event["note"]) == ("Warning", True)


async def test_force_detach_during_a_status_write_is_not_missed(cluster: Cluster) -> None:
    await begin(cluster)

    def annotate(what: str) -> None:
        if what == "things/one status":
            cluster.kubernetes.on_write = lambda _: None
            cluster.kubernetes.annotate("things", "one", force_detach="true")

    cluster.coder.go_down()
    cluster.kubernetes.watch_lag = 0.5
    cluster.kubernetes.on_write = annotate
    cluster.kubernetes.delete("things", "one")
    await gone(cluster, within=2)


async def test_the_secret_may_go_first(cluster: Cluster) -> None:
    await begin(cluster)
    cluster.kubernetes.drop_secret("token")
    await cluster.until(lambda: cluster.reason("coder", "coderdeployments") == "SecretNotFound")
    cluster.kubernetes.delete("things", "one")
    await gone(cluster, within=1)
    assert cluster.coder.things == {}


async def test_the_secret_may_go_while_the_object_waits_for_the_server(cluster: Cluster) -> None:
    await begin(cluster)
    cluster.coder.go_down()
    cluster.kubernetes.delete("things", "one")
    await cluster.until(lambda: cluster.reason("coder", "coderdeployments") == "Unreachable", within=30)
    await asyncio.sleep(60)
    cluster.kubernetes.drop_secret("token")
    await cluster.until(lambda: cluster.reason("coder", "coderdeployments") == "SecretNotFound", within=30)
    cluster.coder.come_back()
    await gone(cluster, within=61)
    assert cluster.coder.things == {}


async def test_the_deployment_may_go_first(cluster: Cluster) -> None:
    await begin(cluster)
    cluster.kubernetes.delete("coderdeployments", "coder")
    await asyncio.sleep(1)
    cluster.kubernetes.delete("things", "one")
    await gone(cluster, within=1)
    assert cluster.coder.things == {}


async def test_the_deployment_may_go_while_it_is_written(cluster: Cluster) -> None:
    await begin(cluster)

    def vanish(what: str) -> None:
        if what == "coderdeployments/coder status":
            cluster.kubernetes.on_write = lambda _: None
            cluster.kubernetes.delete("coderdeployments", "coder")

    cluster.kubernetes.watch_lag = 0.2
    cluster.kubernetes.on_write = vanish
    cluster.coder.features = {"things": True, "more": True}
    cluster.kubernetes.put_secret("token", token="good")
    cluster.thing("two")
    await cluster.until(lambda: cluster.reason("two") == "WaitingForDeployment")
    cluster.thing("one", color="red")
    await cluster.until(lambda: cluster.reason("one") == "WaitingForDeployment")


async def test_a_deployment_that_lingers_with_a_finalizer_of_others_still_serves(cluster: Cluster) -> None:
    await begin(cluster)
    cluster.kubernetes.finalize("coderdeployments", "coder", "foregroundDeletion")
    cluster.kubernetes.delete("coderdeployments", "coder")
    cluster.coder.go_down()
    cluster.kubernetes.delete("things", "one")
    await cluster.until(lambda: cluster.reason("one") == "Deleting")
    await asyncio.sleep(100)
    cluster.coder.come_back()
    await gone(cluster, within=16)
    assert cluster.coder.things == {}


async def test_an_object_that_was_never_applied_goes_at_once_and_leaves_what_is_not_its(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.coder.put("one", "theirs")
    cluster.thing("one")
    await cluster.until(lambda: cluster.reason("one") == "AlreadyExists")
    cluster.kubernetes.delete("things", "one")
    await gone(cluster, within=1)
    assert [thing.color for thing in cluster.coder.things.values()] == ["theirs"]


async def test_without_any_credentials_it_goes_after_a_grace_and_says_what_stays(cluster: Cluster) -> None:
    await begin(cluster)
    await cluster.stop()
    cluster.kubernetes.delete("coderdeployments", "coder")
    cluster.kubernetes.drop_secret("token")
    cluster.kubernetes.delete("things", "one")
    await cluster.start()
    await asyncio.sleep(deletion.ORPHAN_GRACE - 1)
    assert cluster.body("things", "one") is not None
    await gone(cluster, within=2)
    await cluster.until(lambda: cluster.events("Orphaned"))
    assert "stays in Coder" in cluster.events("Orphaned")[0]["note"]


async def test_each_time_that_its_deployment_is_missing_the_grace_is_whole(cluster: Cluster) -> None:
    await begin(cluster)
    await cluster.stop()
    cluster.kubernetes.delete("coderdeployments", "coder")
    cluster.kubernetes.delete("things", "one")
    cluster.coder.go_down()
    await cluster.start()
    await asyncio.sleep(deletion.ORPHAN_GRACE - 2)
    cluster.connect()
    await cluster.until(lambda: cluster.reason("one") == "Deleting")
    await asyncio.sleep(100)
    cluster.engine._connections._connections.clear()  # it never had credentials that worked
    cluster.kubernetes.delete("coderdeployments", "coder")
    await asyncio.sleep(deletion.ORPHAN_GRACE - 1)
    assert cluster.body("things", "one") is not None
    await gone(cluster, within=2)


async def test_what_two_objects_have_recorded_goes_with_the_last_of_them(cluster: Cluster) -> None:
    await begin(cluster)
    thing_id = cluster.status("things", "one")["id"]
    copy = cluster.kubernetes.apply("things", "copy", "team", name="one")
    copy["status"]["id"] = thing_id
    copy["metadata"]["finalizers"] = ["enterprise.coder.com/finalizer"]
    cluster.kubernetes._store("things", copy, "MODIFIED")
    await cluster.until(lambda: cluster.reason("copy") == "Conflict")
    cluster.kubernetes.delete("things", "one")
    await gone(cluster)
    assert thing_id in cluster.coder.things
    cluster.kubernetes.delete("things", "copy")
    await gone(cluster, "copy")
    assert cluster.coder.things == {}


async def test_two_that_have_recorded_the_same_and_go_together_do_not_leave_it_to_each_other(cluster: Cluster) -> None:
    await begin(cluster)
    thing_id = cluster.status("things", "one")["id"]
    copy = cluster.kubernetes.apply("things", "copy", "team", name="one")
    copy["status"]["id"] = thing_id
    copy["metadata"]["finalizers"] = ["enterprise.coder.com/finalizer"]
    cluster.kubernetes._store("things", copy, "MODIFIED")
    await cluster.until(lambda: cluster.reason("copy") == "Conflict")
    cluster.kubernetes.delete("things", "one")
    cluster.kubernetes.delete("things", "copy")
    await gone(cluster)
    await gone(cluster, "copy")
    assert cluster.coder.things == {}


async def test_what_was_done_in_place_of_a_deletion_is_said(cluster: Cluster) -> None:
    cluster.kind.farewell = "two entries are taken away"
    await begin(cluster)
    cluster.kubernetes.delete("things", "one")
    await gone(cluster)
    await cluster.until(lambda: cluster.events("Released"))
    assert cluster.events("Released")[0]["note"] == "two entries are taken away"
    assert cluster.events("Deleted") == []


async def test_what_was_made_but_not_recorded_is_found_and_deleted(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.forge("one", claim=lambda thing: cluster.claims.sign(thing, "one"))
    cluster.coder.things["made"] = Thing("made", "one", "")
    cluster.kubernetes.delete("things", "one")
    await gone(cluster)
    assert cluster.coder.things == {}


async def test_a_deleted_object_comes_back_as_a_new_one(cluster: Cluster) -> None:
    await begin(cluster)
    first = cluster.status("things", "one")["id"]
    cluster.kubernetes.delete("things", "one")
    await gone(cluster)
    cluster.thing("one")
    await cluster.until(lambda: cluster.is_applied("one"))
    assert cluster.status("things", "one")["id"] != first
    assert len(cluster.coder.things) == 1


async def test_nothing_is_remembered_of_what_is_gone(cluster: Cluster) -> None:
    await begin(cluster)
    cluster.kubernetes.delete("things", "one")
    await gone(cluster)
    cluster.kubernetes.delete("coderdeployments", "coder")
    await asyncio.sleep(1)
    assert not cluster.clients[0].closed, "what is deleted last may still need it"
    await cluster.engine.sweep_once()
    assert cluster.clients[0].closed
    engine = cluster.engine
    assert list(engine._connections) == []
    assert (len(engine._store), len(engine._queue), engine._queue.delayed, engine._queue.lanes) == (0, 0, 0, 0)
    assert engine._agenda._backoff._attempts == {}
    assert engine._managed._deletion._orphaned_at == {}
