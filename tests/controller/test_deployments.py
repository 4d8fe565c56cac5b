"""CoderDeployment, its connection and its gate: what is wrong is said, and whoever waits is told."""

from __future__ import annotations

import asyncio

import pytest

from coder_enterprise.client import errors
from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.directory import Directory
from coder_enterprise.client.http import Call, ConnectionSettings
from coder_enterprise.cluster.errors import KubernetesError
from coder_enterprise.controller.connections import Connection, Hooks
from coder_enterprise.controller.limits import TokenBucket
from coder_enterprise.kinds.machinery.connection import Probe
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Key
from tests.support.beside import Beside
from tests.support.engine import Cluster
from tests.support.things import World, WorldDeploymentKind

pytestmark = pytest.mark.looptime

KEY = Key("CoderDeployment", "team", "coder")


def probe(reason: Reason = Reason.CONNECTED) -> Probe:
    usable = reason is Reason.CONNECTED
    return Probe(usable=usable, reason=reason, message=reason, conditions=(), fields={}, features=None)


class Gate:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def doubt(self, deployment: Key, delay: float) -> None:
        self.told.append(("doubt", delay))

    def pause(self, deployment: Key, seconds: float) -> None:
        self.told.append(("pause", seconds))


async def opened(cluster: Cluster, gate: Gate | None = None, token: str = "good") -> Connection:
    connection = Connection(KEY, Beside())
    await connection.open(ConnectionSettings(cluster.coder.url, token), None, lambda: None, gate or Gate())
    return connection


async def ready(cluster: Cluster, reason: str = "Connected", within: float = 5.0) -> None:
    await cluster.until(lambda: cluster.reason("coder", "coderdeployments") == reason, within)


# The connection


async def test_a_connection_is_usable_when_it_was_judged_so_and_says_why_not(cluster: Cluster) -> None:
    connection = await opened(cluster)
    assert (connection.probing, connection.usable, connection.context()) == (True, False, None)
    connection.judge(probe(Reason.UNREACHABLE), 1)
    assert (connection.usable, connection.why_not, connection.context()) == (False, "Unreachable", None)
    connection.judge(probe(), 1)
    assert connection.usable
    assert connection.context() is not None


async def test_the_same_settings_keep_the_client_and_others_replace_it(cluster: Cluster) -> None:
    connection = await opened(cluster)
    same = ConnectionSettings(cluster.coder.url, "good")
    assert not await connection.open(same, None, lambda: None, Gate())
    assert await connection.open(ConnectionSettings(cluster.coder.url, "new"), None, lambda: None, Gate())
    assert [client.closed for client in cluster.clients] == [True, False]
    await connection.close()
    assert cluster.clients[1].closed


@pytest.mark.parametrize(
    ("reason", "may_delete"),
    [
        (Reason.CONNECTED, True),
        (Reason.SECRET_NOT_FOUND, True),
        (Reason.SECRET_KEY_MISSING, True),
        (Reason.UNREACHABLE, False),
        (Reason.UNAUTHORIZED, False),
        (Reason.SUSPENDED, False),
    ],
)
async def test_lost_credentials_still_serve_deletions(cluster: Cluster, reason: Reason, may_delete: bool) -> None:
    connection = await opened(cluster)
    connection.judge(probe(reason), 1)
    assert (connection.context_for_deletion() is not None) is may_delete
    assert (connection.context() is not None) is (reason is Reason.CONNECTED)


async def test_a_deployment_that_is_gone_serves_deletions_alone(cluster: Cluster) -> None:
    connection = await opened(cluster)
    connection.judge(probe(), 1)
    connection.deleted = True
    assert connection.context() is None
    assert connection.context_for_deletion() is not None


async def test_three_failures_have_a_deployment_asked_once_and_it_stays_usable_until_it_has_answered(
    cluster: Cluster,
) -> None:
    gate = Gate()
    connection = await opened(cluster, gate)
    connection.judge(probe(), 1)
    cluster.coder.go_down()
    for _ in range(5):
        with pytest.raises(errors.Unreachable):
            await cluster.clients[0].list()
    assert gate.told == [("doubt", 0.0)]
    assert connection.usable
    connection.judge(probe(Reason.UNREACHABLE), 1)
    assert not connection.usable


async def test_what_a_replaced_client_meets_raises_no_doubt(cluster: Cluster) -> None:
    gate = Gate()
    connection = await opened(cluster, gate)
    await connection.open(ConnectionSettings(cluster.coder.url, "new"), None, lambda: None, gate)
    connection.judge(probe(), 1)
    cluster.coder.tokens = {"new"}
    with pytest.raises(errors.Unauthorized):
        await cluster.clients[0].list()
    assert gate.told == []
    assert connection.usable


async def test_an_unbelievable_retry_after_is_shortened() -> None:
    told: list[float] = []
    hooks = Hooks("team/coder", lambda: None, TokenBucket(None), lambda _: None, told.append)
    await hooks.after(Call("x", "GET", "/"), errors.TooManyRequests(429, "no", 1e6), 0.1)
    assert told == [300.0]
    with pytest.raises(errors.TooManyRequests):
        await hooks.before(Call("x", "GET", "/"))


async def test_only_writes_pass_the_fence() -> None:
    def closed() -> None:
        raise ZeroDivisionError

    hooks = Hooks("team/coder", closed, TokenBucket(None), lambda _: None, lambda _: None)
    await hooks.before(Call("x", "GET", "/"))
    with pytest.raises(ZeroDivisionError):
        await hooks.before(Call("x", "POST", "/"))


# The deployment


async def test_a_missing_secret_is_named_and_its_arrival_noticed(cluster: Cluster) -> None:
    await cluster.start()
    cluster.kubernetes.apply("coderdeployments", "coder", url=cluster.coder.url, tokenSecretRef={"name": "token"})
    cluster.thing("one")
    await ready(cluster, "SecretNotFound")
    await cluster.until(lambda: "team/token" in cluster.condition("Ready", "one").get("message", ""))
    cluster.kubernetes.put_secret("token", other="x")
    await ready(cluster, "SecretKeyMissing", within=1)
    cluster.kubernetes.put_secret("token", token="good")
    await ready(cluster, within=1)
    await cluster.until(lambda: cluster.is_applied("one"), within=1)


async def test_a_secret_that_the_operator_may_not_read_is_a_condition(cluster: Cluster) -> None:
    await cluster.start()
    forbidden = KubernetesError(403, "Forbidden", "secrets is forbidden")
    cluster.kubernetes.fault = lambda _, plural: forbidden if plural == "secrets" else None
    cluster.connect()
    cluster.thing("one")
    await ready(cluster, "Forbidden")
    await cluster.until(lambda: cluster.reason("one") == "WaitingForDeployment")


async def test_an_invalid_deployment_says_so_and_so_do_its_objects(cluster: Cluster) -> None:
    await cluster.start()
    cluster.connect(maxRequestsPerSecond="many")
    cluster.thing("one")
    await ready(cluster, "InvalidSpec")
    await cluster.until(lambda: cluster.reason("one") == "WaitingForDeployment")
    assert "spec.maxRequestsPerSecond" in cluster.condition("Ready", "one")["message"]
    cluster.connect()
    await cluster.until(lambda: cluster.is_applied("one"), within=1)


async def test_a_suspended_deployment_lets_its_objects_wait_and_says_so_once(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.thing("one")
    await cluster.until(lambda: cluster.is_applied("one"))
    cluster.connect(suspend=True)
    await ready(cluster, "Suspended")
    cluster.thing("two")
    await cluster.until(lambda: cluster.reason("two") == "WaitingForDeployment")
    calls, writes = len(cluster.coder.calls), len(cluster.kubernetes.writes)
    await asyncio.sleep(1000)
    assert (len(cluster.coder.calls), cluster.reason("one")) == (calls, "Applied")
    assert len(cluster.kubernetes.writes) - writes <= 1
    cluster.connect()
    await cluster.until(lambda: cluster.is_applied("two"), within=1)


async def test_a_deployment_that_is_suspended_until_a_time_continues_then_with_all_its_objects(
    cluster: Cluster,
) -> None:
    await cluster.begin()
    cluster.connect(suspendUntil=cluster.moment(600))
    await ready(cluster, "Suspended")
    cluster.thing("one")
    await cluster.until(lambda: cluster.reason("one") == "WaitingForDeployment")
    calls = len(cluster.coder.calls)
    await asyncio.sleep(590)
    assert (len(cluster.coder.calls), cluster.reason("one")) == (calls, "WaitingForDeployment")
    await cluster.until(lambda: cluster.is_applied("one"), within=15)
    assert cluster.events("Suspended")
    assert cluster.events("Connected")


async def test_objects_that_were_there_before_the_operator_hear_of_a_suspended_deployment(cluster: Cluster) -> None:
    cluster.connect(suspend=True)
    cluster.thing("one")
    await cluster.start()
    await cluster.until(lambda: cluster.reason("one") == "WaitingForDeployment")


async def test_another_server_is_compared_at_once(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.thing("one")
    await cluster.until(lambda: cluster.is_applied("one"))
    other = World("http://other.test")
    cluster.connect("coder", "team", other)
    await cluster.until(lambda: bool(other.named("one")), within=1)


async def test_objects_are_counted_and_a_burst_is_counted_once(cluster: Cluster) -> None:
    await cluster.begin()
    writes = len(cluster.kubernetes.writes)
    for number in range(50):
        cluster.thing(f"t{number}")
    counts = {"total": 50, "ready": 50}
    await cluster.until(lambda: cluster.status("coderdeployments", "coder")["managedObjects"] == counts)
    own = [write for write in cluster.kubernetes.writes[writes:] if write.startswith("coderdeployments")]
    assert len(own) <= 2
    cluster.kubernetes.delete("things", "t0")
    counts = {"total": 49, "ready": 49}
    await cluster.until(lambda: cluster.status("coderdeployments", "coder")["managedObjects"] == counts)


async def test_a_shorter_interval_counts_from_now_on(cluster: Cluster) -> None:
    await cluster.begin(resyncInterval="10h")
    cluster.thing("one", color="red")
    await cluster.until(lambda: cluster.is_applied("one"))
    cluster.connect(resyncInterval="10s")
    next(iter(cluster.coder.things.values())).color = "drifted"
    await asyncio.sleep(11)
    assert next(iter(cluster.coder.things.values())).color == "red"


async def test_a_fault_of_the_operator_is_a_condition_of_the_deployment_and_its_objects_hear_of_it(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> Probe:
        raise TypeError("a certificate that nobody expected")

    monkeypatch.setattr(WorldDeploymentKind, "probe", fail)
    await cluster.start()
    cluster.connect()
    cluster.thing("one")
    await cluster.until(lambda: cluster.reason("coder", "coderdeployments") == "InternalError")
    assert "its log has the details" in cluster.condition("Ready", "coder", "coderdeployments")["message"]
    await cluster.until(lambda: cluster.reason("one") == "WaitingForDeployment")


async def test_a_deployment_recovers_from_a_fault_of_the_operator(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = WorldDeploymentKind.probe
    faults = iter([TypeError("once"), TypeError("twice")])

    async def fail_twice(kind: WorldDeploymentKind, client: CoderClient, directory: Directory) -> Probe:
        fault = next(faults, None)
        if fault is not None:
            raise fault
        return await answer(kind, client, directory)

    monkeypatch.setattr(WorldDeploymentKind, "probe", fail_twice)
    await cluster.start()
    cluster.connect()
    cluster.thing("one")
    await cluster.until(lambda: cluster.is_applied("one"), within=60)
