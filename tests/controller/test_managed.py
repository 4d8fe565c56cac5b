"""Managed objects from spec to Coder: writes, ownership, policies, and what they wait for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from coder_enterprise.client import errors
from coder_enterprise.cluster.errors import KubernetesError
from coder_enterprise.controller import metrics
from coder_enterprise.kinds.machinery.base import DomainCondition, Progress, Verdict
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import CLAIM
from tests.support.engine import Body, Cluster
from tests.support.things import FEATURE, World

pytestmark = pytest.mark.looptime


async def applied(cluster: Cluster, name: str = "one", /, **spec: str) -> str:
    """The id of a thing that is applied."""
    cluster.thing(name, **spec)
    await cluster.until(lambda: cluster.is_applied(name))
    return str(cluster.status("things", name)["id"])


def reconciles(result: str) -> float:
    """How many reconciles of things have ended so, in this process."""
    return float(metrics.reconciles.labels("Thing", result)._value.get())


# Writes


async def test_creating_costs_two_writes_updating_and_deleting_one(cluster: Cluster) -> None:
    await cluster.begin()
    await applied(cluster, color="red")
    assert cluster.writes() == ["things/one object", "things/one status"]
    await applied(cluster, color="blue")
    assert cluster.writes()[2:] == ["things/one status"]
    cluster.kubernetes.delete("things", "one")
    await cluster.until(lambda: cluster.body("things", "one") is None)
    assert cluster.writes()[3:] == ["things/one object"]
    assert cluster.coder.things == {}


async def test_at_rest_nothing_is_written_and_each_list_read_once_per_resync(cluster: Cluster) -> None:
    await cluster.begin()
    for number in range(20):
        cluster.thing(f"t{number}")
    await cluster.until(lambda: all(cluster.is_applied(f"t{number}") for number in range(20)))
    await asyncio.sleep(10)
    writes, calls = len(cluster.kubernetes.writes), len(cluster.coder.calls)
    await asyncio.sleep(3600)
    assert cluster.kubernetes.writes[writes:] == []
    later = cluster.coder.calls[calls:]
    assert set(later) == {"ping", "things.list"}
    assert later.count("things.list") <= 13
    assert cluster.events() == [event for event in cluster.events() if event["reason"] == "Connected"]


async def test_lists_are_not_read_anew_before_all_have_been_compared_with_the_last_ones(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With very many objects nothing but lists would be read."""
    await cluster.begin(resyncInterval="10s")
    await applied(cluster, color="red")
    await asyncio.sleep(30)
    with monkeypatch.context() as many:
        many.setattr(cluster.engine._queue, "resyncs", lambda _: True)
        calls = len(cluster.coder.calls)
        await asyncio.sleep(60)
        assert "things.list" not in cluster.coder.calls[calls:]
    await cluster.until(lambda: "things.list" in cluster.coder.calls[calls:], 15)


async def test_a_restart_writes_nothing(cluster: Cluster) -> None:
    await cluster.begin()
    await applied(cluster, color="red")
    await asyncio.sleep(10)
    writes, changes = list(cluster.kubernetes.writes), list(cluster.coder.writes)
    await cluster.stop()
    await cluster.start()
    await asyncio.sleep(30)
    assert (cluster.kubernetes.writes, cluster.coder.writes) == (writes, changes)


# Edits that race with the operator's own writes


async def test_an_edit_during_the_status_write_is_reconciled_although_the_watch_is_late(cluster: Cluster) -> None:
    await cluster.begin()
    await applied(cluster, color="red")

    def edit(what: str) -> None:
        if what == "things/one status":
            cluster.kubernetes.on_write = lambda _: None
            cluster.thing("one", color="green")

    cluster.kubernetes.watch_lag = 1.0
    cluster.kubernetes.on_write = edit
    cluster.thing("one", color="blue")
    await cluster.until(lambda: cluster.is_applied("one"))
    assert [thing.color for thing in cluster.coder.things.values()] == ["green"]


async def test_a_status_speaks_of_the_spec_that_was_reconciled(cluster: Cluster) -> None:
    await cluster.begin()
    seen: list[tuple[int, str]] = []

    def edit(what: str) -> None:
        body = cluster.body("things", "one")
        if what == "things/one status" and body is not None:
            seen.append((body["status"]["observedGeneration"], body["status"].get("color", "")))
            if len(seen) == 1:
                cluster.thing("one", color="intended-second")

    cluster.kubernetes.on_write = edit
    cluster.thing("one", color="intended-first")
    await cluster.until(lambda: cluster.is_applied("one"))
    assert (1, "intended-first") in seen, "the first status says generation 1, which it read, not 2"
    assert cluster.status("things", "one")["color"] == "intended-second"


async def test_an_error_is_said_of_the_spec_that_caused_it(cluster: Cluster) -> None:
    await cluster.begin()
    said: list[int] = []
    refusals = iter([errors.BadRequest(400, "no")])
    cluster.coder.fault = lambda call: next(refusals, None) if call == "things.create" else None

    def edit(what: str, body: Body) -> None:
        if what == "things/one object":
            cluster.thing("one", color="second")  # seen long before Coder answers
        else:
            said.append(body["status"]["observedGeneration"])

    cluster.kubernetes.on_stored = edit
    cluster.thing("one", color="first")
    await cluster.until(lambda: cluster.is_applied("one"))
    assert said == [1, 2]


async def test_an_object_that_is_made_anew_during_a_write_is_reconciled_too(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.coder.put("one", "theirs")

    def replace(what: str) -> None:
        if what == "things/one status":
            cluster.kubernetes.on_write = lambda _: None
            cluster.kubernetes.delete("things", "one")
            cluster.thing("one", adoptionPolicy="Adopt")

    cluster.kubernetes.watch_lag = 0.5
    cluster.kubernetes.on_write = replace
    cluster.thing("one")
    await cluster.until(lambda: cluster.is_applied("one"))


async def test_a_conflict_with_another_writer_is_tried_again(cluster: Cluster) -> None:
    await cluster.begin()

    def interfere(what: str) -> None:
        if what == "things/one object":
            cluster.kubernetes.on_write = lambda _: None
            cluster.kubernetes.finalize("things", "one", "others/finalizer")

    cluster.kubernetes.watch_lag = 0.3
    cluster.kubernetes.on_write = interfere
    await applied(cluster)
    body = cluster.body("things", "one")
    assert body is not None
    assert body["metadata"]["finalizers"] == ["others/finalizer", "enterprise.coder.com/finalizer"]


# Ownership


async def test_what_exists_is_refused_with_the_difference(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.coder.put("one", "theirs")
    cluster.thing("one", color="ours")
    await cluster.until(lambda: cluster.reason("one") == "AlreadyExists")
    assert cluster.condition("Stalled", "one")["status"] == "True"
    assert cluster.status("things", "one")["pendingChanges"] == [{"path": "spec.color", "from": "theirs", "to": "ours"}]
    body = cluster.body("things", "one")
    assert body is not None
    assert "finalizers" not in body["metadata"]
    assert cluster.coder.writes == []


async def test_what_is_identical_is_adopted_if_asked(cluster: Cluster) -> None:
    await cluster.begin()
    theirs = cluster.coder.put("one", "red")
    cluster.thing("one", color="blue", adoptionPolicy="AdoptIfIdentical")
    await cluster.until(lambda: cluster.reason("one") == "NotIdentical")
    assert await applied(cluster, color="red", adoptionPolicy="AdoptIfIdentical") == theirs.id
    assert cluster.coder.writes == []


async def test_adopt_makes_it_match(cluster: Cluster) -> None:
    await cluster.begin()
    theirs = cluster.coder.put("one", "red")
    assert await applied(cluster, color="blue", adoptionPolicy="Adopt") == theirs.id
    assert cluster.coder.things[theirs.id].color == "blue"
    assert cluster.coder.writes == ["things.update"]


async def test_what_nobody_has_decided_about_is_taken_over_without_asking(cluster: Cluster) -> None:
    cluster.kind.free = True
    await cluster.begin()
    theirs = cluster.coder.put("one", "red")
    assert await applied(cluster, color="blue") == theirs.id
    cluster.thing("second", name="alias")
    cluster.kind.aliases = {"alias": "one"}
    await cluster.until(lambda: cluster.reason("second") == "Conflict")


async def test_of_two_that_recorded_the_same_under_two_names_at_once_the_oldest_wins(cluster: Cluster) -> None:
    cluster.kind.free = True
    cluster.kind.aliases = {"alias": "shared"}
    await cluster.begin()
    theirs = cluster.coder.put("shared", "red")
    cluster.thing("first", name="shared", color="green")
    cluster.thing("second", name="alias", color="blue")
    await cluster.until(lambda: cluster.status("things", "second").get("id") == theirs.id)
    cluster.kubernetes.annotate("things", "second", reconcile_requested_at="now")
    await cluster.until(lambda: cluster.reason("second") == "Conflict")
    cluster.kubernetes.annotate("things", "first", reconcile_requested_at="now")
    await cluster.until(lambda: cluster.status("things", "first").get("lastHandledReconcileAt") == "now")
    assert cluster.is_applied("first")
    assert cluster.coder.things[theirs.id].color == "green"
    cluster.kubernetes.delete("things", "first")
    await cluster.until(lambda: cluster.is_applied("second"))


@pytest.mark.parametrize("goes", [True, False])
async def test_who_lost_under_another_name_is_visited_when_the_other_goes_or_means_something_else(
    cluster: Cluster, goes: bool
) -> None:
    await cluster.begin(resyncInterval="10h")
    cluster.kind.aliases = {"alias": "shared"}
    cluster.thing("one", name="shared")
    await cluster.until(lambda: cluster.is_applied("one"))
    cluster.thing("two", name="alias")
    await cluster.until(lambda: cluster.reason("two") == "Conflict")
    await asyncio.sleep(1000)
    if goes:
        cluster.kubernetes.delete("things", "one")
    else:
        cluster.thing("one", name="other")
    await cluster.until(lambda: cluster.is_applied("two"), within=5)


async def test_of_two_that_arrive_at_once_one_is_applied_and_the_other_makes_no_call(cluster: Cluster) -> None:
    cluster.kind.free = True
    await cluster.begin()
    cluster.coder.put("shared", "white")
    watch, cluster.kubernetes.watch = cluster.kubernetes.watch, None
    assert watch is not None
    cluster.thing("later", name="shared", color="blue")
    cluster.thing("first", name="shared", color="red")
    cluster.kubernetes.watch, cluster.kubernetes.watch_lag, cluster.kubernetes.latency = watch, 0.5, 0.2
    watch("things", "ADDED", cluster.kubernetes.objects["things", "team", "first"])
    await cluster.until(lambda: "before patch things/first object" in cluster.points.passed)
    watch("things", "ADDED", cluster.kubernetes.objects["things", "team", "later"])  # it is older
    await cluster.until(lambda: cluster.is_applied("first") and cluster.reason("later") == "Conflict")
    assert [thing.color for thing in cluster.coder.things.values()] == ["red"]
    assert "id" not in cluster.status("things", "later")


async def test_of_two_objects_the_oldest_wins_and_the_other_makes_no_call(cluster: Cluster) -> None:
    await cluster.begin()
    await applied(cluster, "first", name="shared", color="red")
    calls = len(cluster.coder.calls)
    cluster.thing("second", name="shared", color="blue", adoptionPolicy="Adopt")
    await cluster.until(lambda: cluster.reason("second") == "Conflict")
    await asyncio.sleep(2)
    assert [call for call in cluster.coder.calls[calls:] if call != "ping"] == []
    assert "team/first" in cluster.condition("Ready", "second")["message"]
    cluster.kubernetes.delete("things", "first")
    await cluster.until(lambda: cluster.is_applied("second"), within=1)


async def test_who_has_recorded_it_goes_before_who_is_older(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.thing("older", name="other")
    await applied(cluster, "younger", name="shared")
    cluster.thing("older", name="shared", adoptionPolicy="Adopt")
    await cluster.until(lambda: cluster.reason("older") == "Conflict")
    assert cluster.reason("younger") == "Applied"


async def test_a_loser_wins_when_the_winner_takes_another_name(cluster: Cluster) -> None:
    await cluster.begin()
    await applied(cluster, "first", name="shared")
    cluster.thing("second", name="shared")
    await cluster.until(lambda: cluster.reason("second") == "Conflict")
    cluster.thing("first", name="free")
    await cluster.until(lambda: cluster.is_applied("second") and cluster.is_applied("first"))
    assert {thing.name for thing in cluster.coder.things.values()} == {"shared", "free"}


async def test_one_name_on_two_servers_is_no_conflict(cluster: Cluster) -> None:
    await cluster.begin()
    other = World("http://other.test")
    cluster.connect("other", "team", other)
    await applied(cluster, "first", name="shared")
    cluster.thing("second", name="shared", deploymentRef={"name": "other"})
    await cluster.until(lambda: cluster.is_applied("second"))
    assert [thing.name for thing in other.things.values()] == ["shared"]


async def test_one_id_on_two_servers_is_two_things_and_one_of_them_is_deleted(cluster: Cluster) -> None:
    await cluster.begin()
    other = World("http://2nd.coder.test")
    cluster.connect("other", "team", other)
    await applied(cluster, "first")
    cluster.thing("second", deploymentRef={"name": "other"})
    await cluster.until(lambda: cluster.is_applied("second"))
    assert cluster.status("things", "first")["id"] == cluster.status("things", "second")["id"]
    cluster.kubernetes.delete("things", "first")
    await cluster.until(lambda: not cluster.body("things", "first"))
    assert (len(cluster.coder.things), len(other.things)) == (0, 1)


async def test_two_deployments_of_one_server_are_one_server(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.connect("again", "team", cluster.coder)
    await applied(cluster, "first", name="shared")
    cluster.thing("second", name="shared", deploymentRef={"name": "again"}, adoptionPolicy="Adopt")
    await cluster.until(lambda: cluster.reason("second") == "Conflict")


async def test_a_name_that_is_taken_between_look_and_create_is_not_ours(cluster: Cluster) -> None:
    await cluster.begin()

    def steal(what: str) -> None:
        if what == "things/one object":
            cluster.kubernetes.on_write = interfere
            cluster.coder.put("one", "theirs")

    def interfere(_: str) -> None:
        cluster.kubernetes.on_write = lambda _: None
        cluster.kubernetes.annotate("things", "one", unrelated="1")

    cluster.kubernetes.watch_lag = 0.3
    cluster.kubernetes.on_write = steal
    cluster.thing("one", color="ours")
    await cluster.until(lambda: cluster.reason("one") == "AlreadyExists")
    await asyncio.sleep(600)
    assert [thing.color for thing in cluster.coder.things.values()] == ["theirs"]
    body = cluster.body("things", "one")
    assert body is not None
    assert "enterprise.coder.com/claim" not in body["metadata"]["annotations"]


@pytest.mark.parametrize(("policy", "color"), [("Adopt", "blue"), ("AdoptIfIdentical", "red")])
async def test_what_was_made_after_the_last_list_is_adopted_in_the_same_visit(
    cluster: Cluster, policy: str, color: str
) -> None:
    await cluster.begin()
    cluster.thing("first")
    await cluster.until(lambda: cluster.is_applied("first"))
    made = cluster.coder.put("one", "red")
    cluster.thing("one", color=color, adoptionPolicy=policy)
    await cluster.until(lambda: cluster.reason("one") is not None and cluster.reason("one") != "Pending")
    assert cluster.is_applied("one")
    assert cluster.status("things", "one")["id"] == made.id
    assert cluster.coder.things[made.id].color == color


async def test_what_was_made_after_the_last_list_is_refused_with_the_difference(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.thing("first")
    await cluster.until(lambda: cluster.is_applied("first"))
    cluster.coder.put("one", "red")
    cluster.thing("one", color="blue")
    await cluster.until(lambda: cluster.reason("one") == "AlreadyExists")
    assert "spec.color: 'red' becomes 'blue'" in cluster.condition("Ready", "one")["message"]


# Policies


@pytest.mark.parametrize("policy", ["Plan", "Observe"])
async def test_plan_and_observe_write_nothing_to_coder(cluster: Cluster, policy: str) -> None:
    await cluster.begin()
    cluster.coder.put("one", "theirs")
    cluster.thing("one", color="ours", managementPolicy=policy)
    await cluster.until(lambda: cluster.reason("one") == {"Plan": "Planned", "Observe": "Observed"}[policy])
    assert cluster.condition("Synced", "one")["status"] == "False"
    assert [item["path"] for item in cluster.status("things", "one")["pendingChanges"]] == ["spec.color"]
    assert "id" not in cluster.status("things", "one")
    cluster.kubernetes.delete("things", "one")
    await cluster.until(lambda: cluster.body("things", "one") is None)
    assert cluster.coder.writes == []
    assert len(cluster.coder.things) == 1


async def test_a_plan_that_is_enforced_is_applied(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.thing("one", color="red", managementPolicy="Plan")
    await cluster.until(lambda: cluster.reason("one") == "Planned")
    assert cluster.condition("Ready", "one")["message"].startswith("1 difference from Coder: ")
    await applied(cluster, color="red")
    assert "pendingChanges" not in cluster.status("things", "one")


async def test_a_suspended_object_is_neither_read_nor_written(cluster: Cluster) -> None:
    await cluster.begin()
    await applied(cluster, color="red")
    thing_id = cluster.status("things", "one")["id"]
    cluster.thing("one", color="blue", suspend=True)
    await cluster.until(lambda: cluster.reason("one") == "Suspended")
    calls = len(cluster.coder.calls)
    await asyncio.sleep(1000)
    assert set(cluster.coder.calls[calls:]) == {"ping"}
    assert cluster.coder.things[thing_id].color == "red"
    await applied(cluster, color="blue")


async def test_what_is_suspended_until_a_time_continues_then_by_itself(cluster: Cluster) -> None:
    await cluster.begin()
    await applied(cluster, color="red")
    cluster.thing("one", color="blue", suspendUntil=cluster.moment(600))
    await cluster.until(lambda: cluster.reason("one") == "Suspended")
    assert cluster.moment(600)[:16] in cluster.condition("Ready", "one")["message"]
    writes = cluster.writes()
    await asyncio.sleep(590)
    assert (cluster.reason("one"), cluster.writes()) == ("Suspended", writes)
    await cluster.until(lambda: cluster.is_applied("one"), within=15)
    assert [thing.color for thing in cluster.coder.things.values()] == ["blue"]
    assert len(cluster.events("Suspended")) == 1
    assert cluster.events("Applied")


async def test_what_waits_when_it_is_suspended_no_longer_says_so_in_an_event(cluster: Cluster) -> None:
    await cluster.start()
    cluster.thing("one", suspendUntil=cluster.moment(600))
    await cluster.until(lambda: cluster.reason("one") == "Suspended")
    await cluster.until(lambda: cluster.reason("one") == "WaitingForDeployment", within=620)
    await cluster.until(lambda: cluster.events("WaitingForDeployment"))


async def test_what_is_edited_and_suspended_at_once_does_not_look_done(cluster: Cluster) -> None:
    await cluster.begin()
    await applied(cluster, color="red")
    cluster.thing("one", color="blue", suspend=True)
    cluster.kubernetes.annotate("things", "one", reconcile_requested_at="now")
    await cluster.until(lambda: cluster.reason("one") == "Suspended")
    status = cluster.status("things", "one")
    assert (status["observedGeneration"], "lastHandledReconcileAt" in status) == (1, False)
    assert cluster.condition("Ready", "one")["status"] == "Unknown"
    assert cluster.condition("Synced", "one")["status"] == "Unknown"
    writes = cluster.writes()
    await asyncio.sleep(1000)
    assert cluster.writes() == writes
    await applied(cluster, color="blue")
    assert cluster.status("things", "one")["lastHandledReconcileAt"] == "now"


async def test_what_is_suspended_from_the_start_was_never_looked_at(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.thing("one", suspend=True)
    await cluster.until(lambda: cluster.reason("one") == "Suspended")
    assert cluster.status("things", "one")["observedGeneration"] == -1
    writes = cluster.writes()
    await asyncio.sleep(1000)
    assert cluster.writes() == writes


async def test_drift_is_corrected_at_the_resync_and_said_once(cluster: Cluster) -> None:
    await cluster.begin()
    thing_id = await applied(cluster, color="red")
    cluster.coder.things[thing_id].color = "drifted"
    writes = cluster.writes()
    await cluster.until(lambda: cluster.coder.things[thing_id].color == "red", within=301)
    await asyncio.sleep(1000)
    assert [event["note"] for event in cluster.events("DriftCorrected")] == [
        "changed in Coder: spec.color: 'drifted' becomes 'red'"
    ]
    assert cluster.writes() == writes


async def test_an_object_may_be_compared_more_often_than_its_deployment(cluster: Cluster) -> None:
    await cluster.begin()
    thing_id = await applied(cluster, color="red", resyncInterval="10s")
    cluster.coder.things[thing_id].color = "drifted"
    await cluster.until(lambda: cluster.coder.things[thing_id].color == "red", within=11)


async def test_a_requested_reconcile_reads_anew_and_is_acknowledged_once(cluster: Cluster) -> None:
    await cluster.begin()
    thing_id = await applied(cluster, color="red")
    cluster.coder.things[thing_id].color = "drifted"
    cluster.kubernetes.annotate("things", "one", reconcile_requested_at="n" * 300)
    await cluster.until(lambda: cluster.status("things", "one").get("lastHandledReconcileAt") == "n" * 256)
    assert cluster.coder.things[thing_id].color == "red"
    gets = cluster.coder.count("things.get")
    await asyncio.sleep(1000)
    assert cluster.coder.count("things.get") == gets


# What an object waits for


async def test_objects_without_their_deployment_cost_one_write_each_and_nothing_after(cluster: Cluster) -> None:
    await cluster.start()
    names = [f"t{number}" for number in range(500)]
    for name in names:
        cluster.thing(name)
    await cluster.until(lambda: all(cluster.reason(name) == "WaitingForDeployment" for name in names), within=60)
    assert len(cluster.writes()) == len(names)
    assert cluster.engine._queue.delayed == 0
    visits = reconciles("waiting")
    await asyncio.sleep(3600)
    assert reconciles("waiting") == visits
    cluster.connect()
    await cluster.until(lambda: all(cluster.is_applied(name) for name in names), within=60)
    assert len(cluster.coder.things) == len(names)


async def test_an_object_wakes_when_its_deployment_arrives(cluster: Cluster) -> None:
    await cluster.start()
    cluster.thing("one")
    await cluster.until(lambda: cluster.reason("one") == "WaitingForDeployment")
    assert "CoderDeployment team/coder" in cluster.condition("Ready", "one")["message"]
    await asyncio.sleep(1000)
    cluster.connect()
    await cluster.until(lambda: cluster.is_applied("one"), within=1)


async def test_an_object_that_is_not_entitled_makes_no_call_and_wakes_with_the_licence(cluster: Cluster) -> None:
    cluster.coder.features = {FEATURE: False}
    await cluster.begin()
    cluster.thing("one")
    await cluster.until(lambda: cluster.reason("one") == "NotEntitled")
    await asyncio.sleep(1000)
    assert set(cluster.coder.calls) == {"ping"}
    cluster.coder.features = {FEATURE: True}
    cluster.kubernetes.put_secret("token", token="good")
    await cluster.until(lambda: cluster.is_applied("one"), within=1)


async def test_another_namespace_needs_consent_and_wakes_when_it_is_given_and_taken(cluster: Cluster) -> None:
    await cluster.begin()
    reference = {"name": "coder", "namespace": "team"}
    cluster.thing("one", "guests", deploymentRef=reference)
    await cluster.until(lambda: cluster.reason("one", namespace="guests") == "NotAllowed")
    assert "spec.allowedNamespaces" in cluster.condition("Ready", "one", namespace="guests")["message"]
    await asyncio.sleep(2000)
    cluster.connect(allowedNamespaces=["guests"])
    await cluster.until(lambda: cluster.is_applied("one", "guests"), within=1)
    cluster.connect()
    await cluster.until(lambda: cluster.reason("one", namespace="guests") == "NotAllowed", within=1)


async def test_what_a_person_must_repair_is_tried_ever_more_slowly(cluster: Cluster) -> None:
    await cluster.begin(resyncInterval="10h")
    cluster.coder.fault = lambda call: errors.BadRequest(400, "no") if call == "things.create" else None
    cluster.thing("one")
    await cluster.until(lambda: cluster.reason("one") == "Refused")
    await asyncio.sleep(600)
    tries = cluster.coder.count("things.create")
    await asyncio.sleep(3600)
    assert 10 <= cluster.coder.count("things.create") - tries <= 26
    cluster.coder.come_back()
    cluster.thing("one", color="red")
    await cluster.until(lambda: cluster.is_applied("one"), within=1)


async def refused_and_repaired(cluster: Cluster, color: str) -> None:
    """The first retries come soon; then, minutes later, Coder takes it."""
    cluster.coder.fault = lambda call: errors.BadRequest(400, "no") if call == "things.update" else None
    cluster.thing("one", color=color)
    await cluster.until(lambda: cluster.reason("one") == "Refused")
    tries = cluster.coder.count("things.update")
    await cluster.until(lambda: cluster.coder.count("things.update") >= tries + 2, within=2.1)
    await asyncio.sleep(100)
    cluster.coder.come_back()
    await cluster.until(lambda: cluster.is_applied("one"), within=300)


async def test_a_success_ends_the_backoff(cluster: Cluster) -> None:
    await cluster.begin(resyncInterval="10h")
    await applied(cluster)
    await refused_and_repaired(cluster, "red")
    await refused_and_repaired(cluster, "blue")


async def test_a_fault_of_the_operator_is_said_and_survived(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.kind.bug = ZeroDivisionError("secret detail")
    cluster.thing("one")
    await cluster.until(lambda: cluster.reason("one") == "InternalError")
    assert "secret" not in cluster.condition("Ready", "one")["message"]
    cluster.kind.bug = None
    await cluster.until(lambda: cluster.is_applied("one"), within=60)


async def test_a_spec_that_the_kind_does_not_understand_names_the_field(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.thing("one", color=["not", "text"])
    await cluster.until(lambda: cluster.reason("one") == "InvalidSpec")
    assert cluster.condition("Ready", "one")["message"].startswith("spec.color: ")
    assert cluster.condition("Stalled", "one")["status"] == "True"


async def test_a_kubernetes_that_refuses_writes_is_tried_again(cluster: Cluster) -> None:
    await cluster.begin()
    refused = KubernetesError(500, "InternalError", "etcd is busy")
    cluster.kubernetes.fault = lambda verb, plural: refused if (verb, plural) == ("patch", "things") else None
    cluster.thing("one")
    await asyncio.sleep(100)
    assert cluster.coder.things == {}, "nothing is made that could not be claimed"
    cluster.kubernetes.fault = lambda *_: None
    await cluster.until(lambda: cluster.is_applied("one"), within=61)


# What a kind says of its objects


def says(cluster: Cluster, **fields: Any) -> None:
    """How things stand from now on, once everything is applied; they are looked at every five seconds."""
    cluster.kind.stands = Verdict(revisit=5.0, **fields)


async def test_what_is_applied_and_not_usable_yet_is_reconciling_and_read_from_the_shared_list(
    cluster: Cluster,
) -> None:
    await cluster.begin()
    says(cluster, progress=Progress.WORKING, reason=Reason.NOT_REGISTERED, message="nobody came")
    cluster.thing("one")
    await cluster.until(lambda: cluster.reason("one") == "NotRegistered")
    assert cluster.condition("Reconciling", "one")["status"] == "True"
    assert cluster.condition("Synced", "one")["status"] == "True"
    await asyncio.sleep(10)
    read, writes = cluster.coder.count("things.get"), len(cluster.writes())
    await asyncio.sleep(200)
    assert (cluster.coder.count("things.get"), len(cluster.writes())) == (read, writes)
    says(cluster)
    await cluster.until(lambda: cluster.is_applied("one"), within=6)


async def test_what_only_a_person_can_help_is_stalled(cluster: Cluster) -> None:
    await cluster.begin()
    says(cluster, progress=Progress.STALLED, reason=Reason.TOKEN_NOT_SHOWN, message="no token")
    cluster.thing("one")
    await cluster.until(lambda: cluster.reason("one") == "TokenNotShown")
    assert cluster.condition("Stalled", "one")["status"] == "True"
    assert cluster.condition("Reconciling", "one") == {}


async def test_a_condition_stays_until_the_kind_drops_it(cluster: Cluster) -> None:
    await cluster.begin()
    condition = DomainCondition("WorkloadAvailable", "True", Reason.WORKLOAD_AVAILABLE, "it runs")
    says(cluster, conditions=(condition,))
    await applied(cluster)
    says(cluster)
    await asyncio.sleep(10)
    assert cluster.condition("WorkloadAvailable", "one")["status"] == "True"
    says(cluster, dropped=("WorkloadAvailable",))
    await cluster.until(lambda: not cluster.condition("WorkloadAvailable", "one"), within=6)


async def test_what_was_due_by_itself_is_no_drift(cluster: Cluster) -> None:
    await cluster.begin()
    thing_id = await applied(cluster, color="red")
    cluster.kind.event = "TokenRotated"
    cluster.coder.things[thing_id].color = "old"
    await cluster.until(lambda: cluster.coder.things[thing_id].color == "red", within=301)
    await asyncio.sleep(1)
    assert [event["note"] for event in cluster.events("TokenRotated")] == ["spec.color: 'old' becomes 'red'"]
    assert cluster.events("DriftCorrected") == []


async def test_an_annotation_of_our_group_wakes_an_object_and_our_own_claim_does_not(cluster: Cluster) -> None:
    await cluster.begin()
    await applied(cluster)
    await asyncio.sleep(10)
    done = reconciles("done")
    cluster.kubernetes.annotate("things", "one", rotate_token_at="now")
    await asyncio.sleep(1)
    assert reconciles("done") == done + 1
    claim = cluster.kubernetes.objects["things", "team", "one"]["metadata"]["annotations"][CLAIM]
    cluster.kubernetes.annotate("things", "one", claim=f"{claim}-2")
    await asyncio.sleep(1)
    assert reconciles("done") == done + 1


async def test_a_new_name_that_is_taken_does_not_let_go_of_what_the_object_has(cluster: Cluster) -> None:
    await cluster.begin()
    thing_id = await applied(cluster)
    taken = errors.AlreadyTaken(409, "two is taken")
    cluster.coder.fault = lambda call: taken if call == "things.update" else None
    cluster.thing("one", name="two")
    await cluster.until(lambda: cluster.reason("one") == "AlreadyExists")
    cluster.kubernetes.delete("things", "one")
    await cluster.until(lambda: cluster.body("things", "one") is None)
    assert thing_id not in cluster.coder.things


async def test_two_that_wait_for_each_other_s_names_say_so(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.thing("one", name="a")
    cluster.thing("two", name="b")
    await cluster.until(lambda: cluster.is_applied("one") and cluster.is_applied("two"))
    cluster.thing("one", name="b")
    cluster.thing("two", name="a")
    await cluster.until(lambda: cluster.reason("one") == cluster.reason("two") == "AlreadyExists")
    assert "b is still the name of Thing team/two" in cluster.condition("Ready", "one")["message"]
    cluster.thing("two", name="c")
    await cluster.until(lambda: cluster.is_applied("one") and cluster.is_applied("two"))
    cluster.thing("two", name="a")
    await cluster.until(lambda: cluster.is_applied("two"))
    assert {thing.name for thing in cluster.coder.things.values()} == {"a", "b"}


# A part that is not applied


async def test_what_is_applied_is_recorded_although_a_part_is_refused(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.kind.trouble = errors.Forbidden(403, "not this part")
    cluster.thing("one", color="red")
    await cluster.until(lambda: cluster.reason("one") == "Forbidden")
    status = cluster.status("things", "one")
    assert cluster.coder.things[status["id"]].color == "red"
    assert cluster.condition("Stalled", "one")["status"] == "True"
    cluster.kind.trouble = None
    cluster.kubernetes.annotate("things", "one", reconcile_requested_at="now")
    await cluster.until(lambda: cluster.is_applied("one"))


async def test_a_part_that_stays_refused_is_not_written_again(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.kind.trouble = errors.Forbidden(403, "not this part")
    cluster.thing("one", color="red")
    await cluster.until(lambda: cluster.reason("one") == "Forbidden")
    writes, changes = len(cluster.writes()), len(cluster.coder.writes)
    await asyncio.sleep(3600)
    assert cluster.writes()[writes:] == []
    assert cluster.coder.writes[changes:] == []


# Waiting for people


@pytest.mark.parametrize(("brings_people", "soon"), [(True, True), (False, False)])
async def test_who_waits_for_people_is_visited_when_they_may_have_come(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, brings_people: bool, soon: bool
) -> None:
    monkeypatch.setattr(type(cluster.kind), "alters_people", brings_people)
    await cluster.begin()
    await applied(cluster, "one", waitsFor="two")
    assert cluster.status("things", "one")["pending"] == "two"
    await asyncio.sleep(10)
    await applied(cluster, "two")
    await asyncio.sleep(3)
    assert ("pending" not in cluster.status("things", "one")) is soon


async def test_who_comes_while_an_object_is_visited_that_waits_for_them_is_seen(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(cluster.kind), "alters_people", True)
    await cluster.begin()
    cluster.coder.latency = 1.0
    cluster.thing("one", waitsFor="two")
    await asyncio.sleep(0.5)
    cluster.thing("two")
    await cluster.until(lambda: cluster.reason("two") == "Applied")
    await asyncio.sleep(10)
    assert "pending" not in cluster.status("things", "one")


async def test_people_who_come_together_cause_one_visit(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(cluster.kind), "alters_people", True)
    await cluster.begin()
    await applied(cluster, "one", waitsFor="nobody")
    await asyncio.sleep(10)
    before = reconciles("done")
    for number in range(20):
        cluster.thing(f"t{number}")
    await asyncio.sleep(5)
    assert reconciles("done") - before == 21


async def test_what_was_done_in_place_of_a_deletion_is_said(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    async def retire(*_: object) -> str:
        return "it is retired"

    monkeypatch.setattr(type(cluster.kind), "delete", retire)
    await cluster.begin()
    await applied(cluster)
    cluster.kubernetes.delete("things", "one")
    await cluster.until(lambda: cluster.body("things", "one") is None)
    await cluster.until(lambda: cluster.events("Released"))
    assert cluster.events("Released")[0]["note"] == "it is retired"
    assert cluster.events("Deleted") == []


# A Coder that lacks what the kind is about


async def test_a_coder_that_has_no_such_things_says_so_in_words(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.coder.fault = lambda call: errors.NotFound(404, "Route not found.") if call != "ping" else None
    cluster.thing("one")
    await cluster.until(lambda: cluster.reason("one") == "NotServed")
    ready = cluster.condition("Ready", "one")
    assert ready["message"].startswith(
        "this Coder has no things: it is the open-source build, or its version is too old"
    )
    assert cluster.condition("Stalled", "one")["status"] == "True"


async def test_what_a_coder_cannot_have_goes_at_once(cluster: Cluster) -> None:
    await cluster.begin()
    missing = errors.NotFound(404, "Route not found.")
    cluster.coder.fault = lambda call: missing if call in ("things.create", "things.get") else None
    cluster.thing("one")
    await cluster.until(lambda: cluster.reason("one") == "NotServed")
    cluster.kubernetes.delete("things", "one")
    await cluster.until(lambda: cluster.body("things", "one") is None)
