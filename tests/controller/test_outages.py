"""A deployment that is out, slow or asks for a pause: said once, cheap, and nobody else's business."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from coder_enterprise.client import errors
from coder_enterprise.controller import metrics
from coder_enterprise.controller.leases import LeadershipLost
from coder_enterprise.kinds.machinery.base import DomainCondition
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Key
from tests.support.engine import Cluster
from tests.support.faults import fault
from tests.support.things import World

pytestmark = pytest.mark.looptime

COUNT = 300


def names(prefix: str = "t") -> list[str]:
    return [f"{prefix}{number}" for number in range(COUNT)]


async def apply_all(cluster: Cluster, prefix: str = "t", **spec: object) -> None:
    for name in names(prefix):
        cluster.thing(name, **spec)
    await all_applied(cluster, prefix, within=30)


async def all_applied(cluster: Cluster, prefix: str = "t", within: float = 60.0) -> None:
    await cluster.until(lambda: all(cluster.is_applied(name) for name in names(prefix)), within)


async def out(cluster: Cluster, reason: str = "Unreachable") -> None:
    await cluster.until(lambda: cluster.reason("coder", "coderdeployments") == reason, within=61)


def failing(operation: str, error: errors.CoderError) -> Callable[[str], errors.CoderError | None]:
    return lambda call: error if call == operation else None


@fault(
    name="Coder away for ten minutes",
    injected="In process, by a fake clock: each request fails.",
    verdict="One condition, one event, and no write on objects that are applied.",
)
async def test_ten_minutes_of_outage_are_one_condition_one_event_and_no_write_on_settled_objects(
    cluster: Cluster,
) -> None:
    await cluster.begin(resyncInterval="60s")
    await apply_all(cluster)
    await asyncio.sleep(5)
    before, events = cluster.writes(), len(cluster.events())
    cluster.coder.go_down()
    await out(cluster)
    written, calls = len(cluster.kubernetes.writes), len(cluster.coder.calls)
    await asyncio.sleep(600)
    assert cluster.kubernetes.writes[written:] == []
    assert set(cluster.coder.calls[calls:]) == {"ping"}
    assert len(cluster.coder.calls) - calls <= 600 / 12 + 5
    assert [event["reason"] for event in cluster.events()[events:]] == ["Unreachable"]
    cluster.coder.come_back()
    await out(cluster, "Connected")
    await asyncio.sleep(60)
    assert cluster.writes() == before


async def test_a_hundred_deployments_that_keep_silent_keep_nobody_waiting(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.thing("one")
    await cluster.until(lambda: cluster.is_applied("one"))
    for number in range(100):
        cluster.connect(f"d{number}", "strangers", World(f"http://{number}.silent.test", latency=30.0))
    await asyncio.sleep(10)
    cluster.thing("one", color="red")
    await cluster.until(lambda: cluster.is_applied("one"), within=1)


async def test_an_outage_is_seen_within_a_minute_although_nothing_was_to_be_done(cluster: Cluster) -> None:
    await cluster.begin(resyncInterval="1h")
    await apply_all(cluster)
    await asyncio.sleep(200)
    cluster.coder.go_down()
    await out(cluster)
    cluster.coder.come_back()
    await out(cluster, "Connected")


async def test_what_was_changed_in_coder_during_an_outage_is_found_when_it_returns(cluster: Cluster) -> None:
    await cluster.begin(resyncInterval="1h")
    cluster.thing("one", color="red")
    await cluster.until(lambda: cluster.is_applied("one"))
    await asyncio.sleep(200)
    cluster.coder.go_down()
    await out(cluster)
    (thing,) = cluster.coder.named("one")
    cluster.coder.things[thing.id] = replace(thing, color="blue")
    cluster.coder.come_back()
    await cluster.until(lambda: cluster.coder.named("one")[0].color == "red", within=30)


async def test_after_an_outage_everything_is_reconciled_within_a_minute(cluster: Cluster) -> None:
    await cluster.begin()
    await apply_all(cluster, color="red")
    cluster.coder.go_down()
    for name in names():
        cluster.thing(name, color="blue")
    await asyncio.sleep(600)
    thing = cluster.condition("Ready", "t0")
    assert thing["status"] == "False"
    cluster.coder.come_back()
    await all_applied(cluster, within=60)
    assert {thing.color for thing in cluster.coder.things.values()} == {"blue"}


async def test_the_outage_of_some_deployments_does_not_delay_anothers_objects(cluster: Cluster) -> None:
    worlds = {name: World(f"http://{name}.test") for name in ("down1", "down2", "other")}
    await cluster.begin()
    for name, world in worlds.items():
        cluster.connect(name, "team", world)
    for prefix in ("down1", "down2"):
        await apply_all(cluster, prefix, deploymentRef={"name": prefix})
        worlds[prefix].latency = 30.0  # it accepts connections and answers nothing, which is the worst
        worlds[prefix].go_down()
    for prefix in ("down1", "down2"):
        for name in names(prefix):
            cluster.thing(name, color="blue", deploymentRef={"name": prefix})
    await asyncio.sleep(1)
    for name in names("o"):
        cluster.thing(name, deploymentRef={"name": "other"})
    await all_applied(cluster, "o", within=10)


async def test_a_wrong_token_is_tried_at_a_slow_pace(cluster: Cluster) -> None:
    cluster.coder.tokens = {"another"}
    await cluster.start()
    cluster.connect()
    await out(cluster, "Unauthorized")
    await asyncio.sleep(300)
    calls = len(cluster.coder.calls)
    await asyncio.sleep(3600)
    assert len(cluster.coder.calls) - calls <= 3600 / 240
    assert cluster.condition("Stalled", "coder", "coderdeployments")["status"] == "True"


async def test_a_token_that_expires_is_one_event_and_its_successor_is_taken_at_once(cluster: Cluster) -> None:
    await cluster.begin()
    await apply_all(cluster)
    before = cluster.writes()
    cluster.coder.tokens = {"new"}
    cluster.thing("t0", color="blue")
    await out(cluster, "Unauthorized")
    await asyncio.sleep(600)
    assert len(cluster.events("Unauthorized")) == 1
    cluster.kubernetes.put_secret("token", token="new")
    await cluster.until(lambda: cluster.is_applied("t0"), within=1)
    assert set(cluster.writes()[len(before) :]) == {"things/t0 status"}
    assert cluster.clients[0].closed


POISON = (
    errors.ServerError(500, "broken table"),
    errors.ServerError(502, "no answer from upstream"),
    errors.Forbidden(403, "not for you"),
    errors.NotCoder("a page of a firewall"),
    errors.Unreachable("timeout"),
)


@pytest.mark.parametrize("answer", POISON, ids=lambda error: f"{error.reason} {getattr(error, 'status', '')}".strip())
async def test_five_objects_that_always_fail_stop_none_of_three_hundred_others(
    cluster: Cluster, answer: errors.CoderError
) -> None:
    await cluster.begin(resyncInterval="1h")
    cluster.coder.poison = {f"poison{number}": answer for number in range(5)}
    for name in cluster.coder.poison:
        cluster.thing(name)
    await apply_all(cluster)
    listed, told = cluster.coder.count("things.list"), len(cluster.events())
    for color in ("red", "blue", "green"):
        await asyncio.sleep(100)
        for name in names():
            cluster.thing(name, color=color)
        await all_applied(cluster, within=5)
        assert cluster.reason("coder", "coderdeployments") == "Connected"
    assert cluster.coder.count("things.list") == listed
    assert {cluster.reason(name) for name in cluster.coder.poison} == {answer.reason}
    assert [event for event in cluster.events()[told:] if event["regarding"]["kind"] == "CoderDeployment"] == []


async def test_what_speaks_of_the_server_has_the_deployment_asked_and_nothing_waits_meanwhile(
    cluster: Cluster,
) -> None:
    await cluster.begin(resyncInterval="1h")
    await apply_all(cluster)
    asked = cluster.coder.count("ping")
    answers = iter([errors.Unreachable("no")] * 3)
    cluster.coder.fault = lambda call: next(answers, None) if call == "things.update" else None
    for name in names():
        cluster.thing(name, color="blue")
    await all_applied(cluster, within=5)
    assert cluster.coder.count("ping") == asked + 1


async def test_an_outage_is_seen_at_once_where_there_is_work(cluster: Cluster) -> None:
    await cluster.begin(resyncInterval="1h")
    await apply_all(cluster)
    cluster.coder.go_down()
    events = len(cluster.events())
    for name in names():
        cluster.thing(name, color="blue")
    await cluster.until(lambda: cluster.status("coderdeployments", "coder").get("circuit") == "Open", within=1)
    assert cluster.condition("Reachable", "coder", "coderdeployments")["status"] == "False"
    await asyncio.sleep(300)
    about = [event for event in cluster.events()[events:] if event["regarding"]["kind"] == "CoderDeployment"]
    assert [event["reason"] for event in about] == ["Unreachable"]


@fault(
    name="Coder fails in part",
    injected="In process: the probe succeeds, and each update fails with 500.",
    verdict="A few requests a second, however many objects there are, and all are applied when it is repaired.",
)
async def test_a_server_that_answers_its_probe_and_fails_all_its_objects_is_not_hammered(cluster: Cluster) -> None:
    await cluster.begin()
    await apply_all(cluster)
    cluster.coder.fault = failing("things.update", errors.ServerError(500, "broken table"))
    for name in names():
        cluster.thing(name, color="blue")
    await asyncio.sleep(120)
    calls = len(cluster.coder.calls)
    await asyncio.sleep(600)
    assert len(cluster.coder.calls) - calls < 600 * 5, "a few per second, however many objects there are"
    cluster.coder.come_back()
    await all_applied(cluster, within=310)


@fault(
    name="429 with Retry-After",
    injected="In process: one Coder of several asks for a pause.",
    verdict="It is left alone for that long, and the others are worked for.",
)
async def test_retry_after_pauses_that_deployment_only_and_holds_up_no_worker(cluster: Cluster) -> None:
    others = [World(f"http://other{number}.test") for number in range(3)]
    await cluster.begin()
    for number, other in enumerate(others):
        cluster.connect(f"other{number}", "team", other)
    await asyncio.sleep(1)
    paused = [cluster.coder, *others[:2]]
    for world in paused:
        world.fault = failing("things.create", errors.TooManyRequests(429, "slow down", 100.0))
    for name in names():
        cluster.thing(name)
    for number in range(3):
        for name in names(f"o{number}-"):
            cluster.thing(name, deploymentRef={"name": f"other{number}"})
    started = asyncio.get_running_loop().time()
    await all_applied(cluster, "o2-", within=20)
    tried = [world.count("things.create") for world in paused]
    for world in paused:
        world.come_back()
    await asyncio.sleep(started + 99 - asyncio.get_running_loop().time())
    assert [world.count("things.create") for world in paused] == tried
    assert max(tried) <= 16
    await all_applied(cluster, within=60)
    await all_applied(cluster, "o0-", within=60)


async def test_a_deployment_that_asks_for_a_pause_stays_connected_and_says_so_in_words(cluster: Cluster) -> None:
    await cluster.begin(resyncInterval="1h")
    await apply_all(cluster)
    await asyncio.sleep(5)
    events, listed = len(cluster.events()), cluster.coder.count("things.list")
    refusals = iter([errors.TooManyRequests(429, "slow down", 120.0)])
    cluster.coder.fault = lambda _: next(refusals, None)
    cluster.thing("t0", color="blue")
    await out(cluster, "RateLimited")
    calls = len(cluster.coder.calls)
    ready, reachable = (cluster.condition(type_, "coder", "coderdeployments") for type_ in ("Ready", "Reachable"))
    assert (ready["status"], reachable["status"], reachable["reason"]) == ("True", "True", "RateLimited")
    assert cluster.status("coderdeployments", "coder")["circuit"] == "Closed"
    await asyncio.sleep(110)
    assert len(cluster.coder.calls) == calls
    await out(cluster, "Connected")
    await cluster.until(lambda: cluster.is_applied("t0"), within=2)
    assert cluster.condition("Reachable", "coder", "coderdeployments")["reason"] == "Answering"
    warnings = [event["reason"] for event in cluster.events()[events:] if event["type"] == "Warning"]
    assert warnings == ["RateLimited"]
    assert cluster.coder.count("things.list") == listed


async def test_a_deployment_that_begins_with_a_pause_is_asked_when_it_is_over(cluster: Cluster) -> None:
    await cluster.start()
    refusals = iter([errors.TooManyRequests(429, "slow down", 100.0)])
    cluster.coder.fault = lambda _: next(refusals, None)
    cluster.connect()
    await out(cluster, "RateLimited")
    assert cluster.condition("Reachable", "coder", "coderdeployments")["status"] == "True"
    assert cluster.condition("Ready", "coder", "coderdeployments")["status"] == "False"
    await asyncio.sleep(95)
    assert len(cluster.coder.calls) == 1
    await cluster.until(lambda: cluster.reason("coder", "coderdeployments") == "Connected", within=10)


async def test_a_pause_releases_who_waits_for_his_turn(cluster: Cluster) -> None:
    await cluster.begin(maxRequestsPerSecond=2)
    waiting = names()[:40]
    for name in waiting:
        cluster.thing(name)
    await asyncio.sleep(3)
    cluster.coder.fault = lambda _: errors.TooManyRequests(429, "slow down", 120.0)
    await asyncio.sleep(12)
    assert cluster.engine.is_idle(Key("CoderDeployment", "team", "coder"))
    cluster.coder.come_back()
    await cluster.until(lambda: all(map(cluster.is_applied, waiting)), within=180)


async def test_forty_dead_deployments_delay_no_rotation(cluster: Cluster) -> None:
    await cluster.begin()
    for number in range(40):
        world = World(f"http://dead{number}.test", latency=30.0)
        world.go_down()
        cluster.connect(f"dead{number}", "others", world)
    await asyncio.sleep(100)
    cluster.coder.tokens = {"new"}
    cluster.kubernetes.put_secret("token", token="new")
    await cluster.until(lambda: cluster.clients[-1].settings.token == "new", within=1)
    cluster.thing("one")
    await cluster.until(lambda: cluster.is_applied("one"), within=2)


async def test_what_an_outage_hides_becomes_unknown_with_the_time_at_which_it_was_known(cluster: Cluster) -> None:
    cluster.coder.conditions = (DomainCondition("Licensed", "True", Reason.LICENSED, "for a year"),)
    await cluster.begin()
    cluster.coder.go_down()
    await out(cluster)
    licensed = cluster.condition("Licensed", "coder", "coderdeployments")
    assert licensed["status"] == "Unknown"
    assert re.fullmatch(r"last known at \d{4}-.*Z: True, Licensed", licensed["message"])
    assert "features" not in cluster.status("coderdeployments", "coder")
    written = len(cluster.kubernetes.writes)
    await asyncio.sleep(600)
    assert len(cluster.kubernetes.writes) == written
    cluster.coder.come_back()
    await out(cluster, "Connected")
    assert cluster.condition("Licensed", "coder", "coderdeployments")["message"] == "for a year"


async def test_a_suspended_deployment_knows_nothing_any_more(cluster: Cluster) -> None:
    cluster.coder.conditions = (DomainCondition("Licensed", "True", Reason.LICENSED, "for a year"),)
    await cluster.begin()
    cluster.connect(suspend=True)
    await out(cluster, "Suspended")
    assert cluster.condition("Licensed", "coder", "coderdeployments")["status"] == "Unknown"
    assert cluster.condition("Reachable", "coder", "coderdeployments")["status"] == "Unknown"


async def test_what_changes_in_a_usable_deployment_is_an_event(cluster: Cluster) -> None:
    def tell(status: str, reason: Reason) -> None:
        cluster.coder.conditions = (DomainCondition("ReplicasHealthy", status, reason, "as it is"),)

    tell("True", Reason.REPLICAS_HEALTHY)
    await cluster.begin()
    await asyncio.sleep(130)
    events = len(cluster.events())
    tell("False", Reason.REPLICA_ERRORS)
    await asyncio.sleep(130)
    tell("True", Reason.REPLICAS_HEALTHY)
    await asyncio.sleep(130)
    told = [(event["type"], event["reason"]) for event in cluster.events()[events:]]
    assert told == [("Warning", "ReplicaErrors"), ("Normal", "ReplicasHealthy")]


@fault(
    name="watch event lost",
    injected="In process: a deletion is not told by the watch.",
    verdict="The object goes within a minute.",
)
async def test_a_deletion_that_the_watch_missed_is_noticed_within_a_minute(cluster: Cluster) -> None:
    await cluster.begin(resyncInterval="1h")
    cluster.thing("one")
    await cluster.until(lambda: cluster.is_applied("one"))
    watch, cluster.kubernetes.watch = cluster.kubernetes.watch, None
    cluster.kubernetes.delete("coderdeployments", "coder")
    cluster.kubernetes.watch = watch
    await asyncio.sleep(61)
    cluster.thing("one", color="blue")
    await cluster.until(lambda: cluster.reason("one") == "WaitingForDeployment", within=1)


async def test_an_interval_of_its_own_is_when_an_object_is_read(cluster: Cluster) -> None:
    await cluster.begin()
    for number in range(10):
        cluster.thing(f"slow{number}", resyncInterval="2h")
    await cluster.until(lambda: cluster.is_applied("slow9"))
    await asyncio.sleep(60)
    reads, visits = cluster.coder.count("things.get"), len(cluster.kind.observed)
    await asyncio.sleep(6900)
    assert cluster.coder.count("things.get") == reads
    assert len(cluster.kind.observed) == visits
    await asyncio.sleep(600)
    assert cluster.coder.count("things.get") == reads + 10


async def test_a_short_pause_is_waited_for(cluster: Cluster) -> None:
    await cluster.begin()
    refusals = iter([errors.TooManyRequests(429, "slow down", 2.0)])
    cluster.coder.fault = lambda call: next(refusals, None) if call == "things.create" else None
    await apply_all(cluster)
    assert cluster.reason("coder", "coderdeployments") == "Connected"


async def test_requests_keep_to_the_rate_of_their_deployment(cluster: Cluster) -> None:
    await cluster.begin(maxRequestsPerSecond=10)
    started = asyncio.get_running_loop().time()
    await apply_all(cluster)
    assert asyncio.get_running_loop().time() - started >= (COUNT - 20) / 10


async def test_the_metric_shows_which_deployments_are_out(cluster: Cluster) -> None:
    def shown() -> float:
        cluster.engine.measure()
        return float(metrics.circuit_open.labels("team/coder")._value.get())

    await cluster.begin()
    assert shown() == 0
    cluster.coder.go_down()
    cluster.kubernetes.put_secret("token", token="good")
    await out(cluster)
    assert shown() == 1


async def test_what_another_replica_works_for_is_not_written_any_more(cluster: Cluster) -> None:
    await cluster.begin()
    await apply_all(cluster)

    def lost(deployment: Key) -> None:
        raise LeadershipLost(f"another replica works for {deployment}")

    cluster.shares.fence = lost
    writes, changes = len(cluster.kubernetes.writes), len(cluster.coder.writes)
    for name in names():
        cluster.thing(name, color="blue")
    await asyncio.sleep(1)
    assert not cluster.died
    assert (len(cluster.kubernetes.writes), len(cluster.coder.writes)) == (writes, changes)
