"""From what changes to who works on it: the watch, its gaps, and what wakes whom."""

from __future__ import annotations

import asyncio

import pytest

from coder_enterprise.cluster.errors import KubernetesError
from coder_enterprise.controller import engine
from coder_enterprise.controller.workers import STUCK_AFTER
from coder_enterprise.kinds.machinery.base import DomainCondition, Progress, Verdict
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Key
from tests.support.engine import Cluster
from tests.support.things import ThingKind

pytestmark = pytest.mark.looptime

CODER = Key("CoderDeployment", "team", "coder")


def asks(cluster: Cluster) -> int:
    return cluster.coder.count("ping")


async def begin(cluster: Cluster) -> None:
    """With one thing, applied and counted."""
    await cluster.begin()
    cluster.thing("one")
    await cluster.until(lambda: cluster.is_applied("one"))
    await asyncio.sleep(20)


async def test_what_exists_at_the_start_is_reconciled(cluster: Cluster) -> None:
    cluster.connect()
    for number in range(20):
        cluster.thing(f"t{number}")
    await cluster.start()
    assert cluster.engine.listed
    await cluster.until(lambda: all(cluster.is_applied(f"t{number}") for number in range(20)))


async def test_a_relist_of_what_is_known_makes_no_work(cluster: Cluster) -> None:
    await begin(cluster)
    calls, writes = list(cluster.coder.calls), list(cluster.kubernetes.writes)
    for (plural, _, _), body in list(cluster.kubernetes.objects.items()):
        cluster.engine.on_event(plural, None, body)
    await asyncio.sleep(1)
    assert (cluster.coder.calls, cluster.kubernetes.writes) == (calls, writes)


async def test_a_changed_secret_asks_the_deployments_that_use_it_and_no_other(cluster: Cluster) -> None:
    await begin(cluster)
    before = asks(cluster)
    cluster.kubernetes.put_secret("another", token="x")
    await asyncio.sleep(1)
    assert asks(cluster) == before
    cluster.kubernetes.put_secret("token", token="good")
    await asyncio.sleep(1)
    assert asks(cluster) == before + 1


async def test_what_vanished_unseen_is_swept_and_its_rival_takes_over(cluster: Cluster) -> None:
    await begin(cluster)
    cluster.thing("rival", name="one", adoptionPolicy="Adopt")
    await cluster.until(lambda: cluster.reason("rival") == "Conflict")
    del cluster.kubernetes.objects["things", "team", "one"]
    await asyncio.sleep(30)
    assert cluster.reason("rival") == "Conflict"
    await cluster.until(lambda: cluster.is_applied("rival"), within=engine.SWEEP_INTERVAL)


async def test_what_was_deleted_and_made_anew_unseen_is_reconciled_as_a_new_object(cluster: Cluster) -> None:
    await begin(cluster)
    first = cluster.status("things", "one")["id"]
    cluster.coder.things.clear()
    del cluster.kubernetes.objects["things", "team", "one"]
    cluster.thing("one")
    await cluster.until(lambda: cluster.is_applied("one"))
    assert cluster.status("things", "one")["id"] != first


async def test_a_sweep_that_fails_is_made_again(cluster: Cluster) -> None:
    await begin(cluster)
    unavailable = KubernetesError(0, "Unreachable", "no")
    cluster.kubernetes.fault = lambda verb, _: unavailable if verb == "list" else None
    await asyncio.sleep(engine.SWEEP_INTERVAL)
    assert not cluster.died
    cluster.kubernetes.fault = lambda *_: None
    del cluster.kubernetes.objects["things", "team", "one"]
    await asyncio.sleep(engine.SWEEP_INTERVAL)
    assert len(cluster.engine._store) == 1


async def test_a_status_that_somebody_wiped_is_written_again(cluster: Cluster) -> None:
    await begin(cluster)
    body = cluster.kubernetes.objects["things", "team", "one"]
    body["status"] = {"observedGeneration": -1, "conditions": []}
    cluster.kubernetes._store("things", body, "MODIFIED")
    await cluster.until(lambda: cluster.is_applied("one"))
    assert cluster.status("things", "one")["id"] in cluster.coder.things


async def test_a_stuck_worker_is_noticed(cluster: Cluster) -> None:
    await begin(cluster)
    cluster.coder.latency = 1e6
    cluster.thing("one", color="blue")
    await asyncio.sleep(STUCK_AFTER - 10)
    assert cluster.engine.moves
    await asyncio.sleep(20)
    assert not cluster.engine.moves


async def test_what_is_in_work_is_finished_before_the_end(cluster: Cluster) -> None:
    await begin(cluster)
    cluster.coder.latency = 3.0
    cluster.thing("one", color="blue")
    await asyncio.sleep(0.5)
    await cluster.engine.drain()
    assert cluster.coder.count("things.update") == 1
    assert [thing.color for thing in cluster.coder.things.values()] == ["blue"]


async def test_the_end_does_not_wait_for_what_hangs(cluster: Cluster) -> None:
    await begin(cluster)
    cluster.coder.latency = 1e6
    cluster.thing("one", color="blue")
    await asyncio.sleep(0.5)
    started = asyncio.get_running_loop().time()
    await cluster.engine.drain()
    assert asyncio.get_running_loop().time() - started <= engine.DRAIN_TIMEOUT + 0.1


# What else wakes an object


async def test_a_secret_that_an_object_names_wakes_it_when_it_changes_and_when_it_goes(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.kubernetes.put_secret("own", value="1")
    cluster.thing("one", secret="own")
    cluster.thing("other")
    await cluster.until(lambda: cluster.is_applied("one") and cluster.is_applied("other"))
    await asyncio.sleep(20)
    cluster.kind.observed.clear()
    cluster.kubernetes.put_secret("own", value="2")
    await asyncio.sleep(1)
    assert cluster.kind.observed == ["one"]
    cluster.kubernetes.drop_secret("own")
    await asyncio.sleep(1)
    assert cluster.kind.observed == ["one", "one"]


async def test_a_secret_of_the_same_name_elsewhere_wakes_nobody(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.thing("one", secret="own")
    await cluster.until(lambda: cluster.is_applied("one"))
    await asyncio.sleep(20)
    cluster.kind.observed.clear()
    cluster.kubernetes.put_secret("own", "elsewhere", value="2")
    await asyncio.sleep(1)
    assert cluster.kind.observed == []


async def test_an_object_is_woken_when_what_it_refers_to_comes_gets_ready_and_goes(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.thing("one", follows="two")
    await cluster.until(lambda: cluster.is_applied("one"))
    await asyncio.sleep(20)
    cluster.kind.observed.clear()
    cluster.thing("two", color="red")
    await cluster.until(lambda: cluster.is_applied("two"))
    await asyncio.sleep(1)
    assert "one" in cluster.kind.observed
    cluster.kind.observed.clear()
    cluster.kubernetes.delete("things", "two")
    await asyncio.sleep(1)
    assert "one" in cluster.kind.observed


@pytest.mark.parametrize("seconds", [0.5, 1.5, 2.5])
@pytest.mark.parametrize("needed", ["secret", "object"])
async def test_what_comes_while_an_object_is_visited_that_needs_it_has_it_visited_again(
    cluster: Cluster, seconds: float, needed: str
) -> None:
    """Between each two requests of the visit: it looks, makes and changes."""
    await cluster.begin()
    cluster.coder.latency = 1.0
    cluster.thing("one", color="red", secret="own", follows="two")
    await asyncio.sleep(seconds)
    assert not cluster.is_applied("one")
    visits = cluster.kind.observed.count("one")
    cluster.coder.latency = 0.01
    if needed == "secret":
        cluster.kubernetes.put_secret("own", value="1")
    else:
        cluster.thing("two")
    await cluster.until(lambda: cluster.is_applied("one"))
    await asyncio.sleep(1)
    assert cluster.kind.observed.count("one") > visits


async def test_what_an_object_does_not_refer_to_any_more_does_not_wake_it(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.thing("two")
    cluster.thing("one", follows="two")
    await cluster.until(lambda: cluster.is_applied("one") and cluster.is_applied("two"))
    cluster.thing("one")
    await cluster.until(lambda: cluster.is_applied("one"))
    await asyncio.sleep(20)
    cluster.kind.observed.clear()
    cluster.kubernetes.delete("things", "two")
    await asyncio.sleep(1)
    assert "one" not in cluster.kind.observed


class Altering(ThingKind):
    alters_deployment = True


async def test_what_alters_its_deployment_has_it_asked_after_each_write_and_at_no_other_time(cluster: Cluster) -> None:
    cluster.kind = Altering()
    await begin(cluster)
    before = asks(cluster)
    cluster.thing("one", color="blue")
    await asyncio.sleep(1)
    assert asks(cluster) == before + 1
    cluster.kubernetes.annotate("things", "one", reconcile_requested_at="now")
    await asyncio.sleep(1)
    assert asks(cluster) == before + 1, "nothing was written"


async def test_what_does_not_alter_its_deployment_does_not_have_it_asked(cluster: Cluster) -> None:
    await begin(cluster)
    before = asks(cluster)
    cluster.thing("one", color="blue")
    await asyncio.sleep(1)
    assert asks(cluster) == before


async def test_a_kind_says_how_its_object_stands_and_when_to_look_again(cluster: Cluster) -> None:
    healthy = DomainCondition("Healthy", "False", Reason.UNREACHABLE, "it does not answer")
    cluster.kind.stands = Verdict(
        Progress.WORKING, reason=Reason.UNREACHABLE, message="it does not answer", conditions=(healthy,), revisit=40
    )
    await cluster.begin()
    cluster.thing("one")
    await cluster.until(lambda: cluster.reason("one") == "Unreachable")
    shown = {
        type_: cluster.condition(type_, "one")["status"] for type_ in ("Ready", "Reconciling", "Synced", "Healthy")
    }
    assert shown == {"Ready": "False", "Reconciling": "True", "Synced": "True", "Healthy": "False"}
    cluster.kind.observed.clear()
    await asyncio.sleep(39)
    assert cluster.kind.observed == []
    cluster.kind.stands = Verdict(conditions=(DomainCondition("Healthy", "True", Reason.ANSWERING, "it answers"),))
    await cluster.until(lambda: cluster.is_applied("one"), within=5)
    assert cluster.condition("Healthy", "one")["status"] == "True"
    assert cluster.condition("Reconciling", "one") == {}


async def test_an_object_that_is_looked_at_again_and_again_is_not_written_for_it(cluster: Cluster) -> None:
    cluster.kind.stands = Verdict(revisit=10)
    await begin(cluster)
    writes = list(cluster.kubernetes.writes)
    cluster.kind.observed.clear()
    await asyncio.sleep(250)
    assert len(cluster.kind.observed) >= 20
    assert cluster.kubernetes.writes == writes


# Whom it works for


async def test_what_is_left_is_not_touched_and_its_connection_closed(cluster: Cluster) -> None:
    await begin(cluster)
    calls, writes = list(cluster.coder.calls), list(cluster.kubernetes.writes)
    cluster.engine.leave(CODER)
    assert cluster.engine.is_idle(CODER)
    await cluster.engine.forget(CODER)
    cluster.thing("one", color="blue")
    cluster.kubernetes.put_secret("token", token="good")
    await asyncio.sleep(600)
    assert (cluster.coder.calls, cluster.kubernetes.writes) == (calls, writes)
    assert all(client.closed for client in cluster.clients)


async def test_what_is_taken_again_is_found_as_others_left_it(cluster: Cluster) -> None:
    await begin(cluster)
    cluster.engine.leave(CODER)
    await cluster.engine.forget(CODER)
    cluster.thing("one", color="blue")
    cluster.thing("two")
    cluster.engine.take(CODER)
    await cluster.until(lambda: cluster.is_applied("one") and cluster.is_applied("two"))
    assert {thing.name: thing.color for thing in cluster.coder.things.values()} == {"one": "blue", "two": ""}


async def test_what_is_being_done_is_finished_when_it_is_left(cluster: Cluster) -> None:
    await begin(cluster)
    cluster.coder.latency = 3.0
    cluster.thing("one", color="blue")
    await asyncio.sleep(0.5)
    cluster.engine.leave(CODER)
    assert not cluster.engine.is_idle(CODER)
    await cluster.until(lambda: cluster.engine.is_idle(CODER), within=15)
    assert cluster.is_applied("one")
    assert [thing.color for thing in cluster.coder.things.values()] == ["blue"]


async def test_a_deployment_that_objects_only_refer_to_is_one_to_work_for_too(cluster: Cluster) -> None:
    await cluster.start()
    cluster.thing("one")
    await cluster.until(lambda: cluster.engine.deployments == {CODER})
    await cluster.until(lambda: cluster.reason("one") == "WaitingForDeployment")
    cluster.kubernetes.delete("things", "one")
    await cluster.until(lambda: cluster.engine.deployments == set())


async def test_two_that_claim_one_thing_in_one_coder_conflict_although_others_work_for_the_first(
    cluster: Cluster,
) -> None:
    await begin(cluster)
    other = Key("CoderDeployment", "other", "coder")
    cluster.connect("coder", "other")
    cluster.thing("one", "other", name="shared")
    await cluster.until(lambda: cluster.is_applied("one", "other"))
    cluster.engine.leave(other)
    await cluster.engine.forget(other)
    cluster.thing("late", name="shared", adoptionPolicy="Adopt")
    await cluster.until(lambda: cluster.reason("late") == "Conflict")
