"""Replicas of the server: two of them over one database, with a clock that the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from coder_enterprise.server.access import Actor
from coder_enterprise.server.probes import Probes
from coder_enterprise.server.services.replicas import Replicas
from coder_enterprise.server.storage.database import Database
from coder_enterprise.server.storage.schema import replicas as table
from coder_enterprise.server.workers import replicas as worker
from coder_enterprise.server.workers.replicas import ReplicaSync
from tests.support.api import Client, People
from tests.support.endpoint import Endpoint
from tests.support.faults import fault
from tests.support.waiting import wait_for
from tools.processes import free_ports


class Clock:
    def __init__(self) -> None:
        self.moment = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def move(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def probes() -> AsyncIterator[Probes]:
    async with Probes() as made:
        yield made


@pytest.fixture
async def actor(people: People, owner: Client) -> Actor:
    return await people.actor(owner)


@pytest.fixture
def first(database: Database, clock: Clock) -> Replicas:
    return Replicas(database, "", clock)


@pytest.fixture
async def peer() -> AsyncIterator[Endpoint]:
    """Where the second replica can be reached."""
    async with Endpoint() as endpoint:
        yield endpoint


@pytest.fixture
def second(database: Database, clock: Clock, peer: Endpoint) -> Replicas:
    return Replicas(database, peer.url, clock)


async def addresses(replicas: Replicas, actor: Actor) -> list[str]:
    return [item.relay_address for item in await replicas.list(actor)]


def ignore(_: int) -> None:
    """Who counts servers does not matter here."""


async def test_each_lists_the_others_first_and_itself_last(
    first: Replicas, second: Replicas, actor: Actor, peer: Endpoint
) -> None:
    await first.beat("")
    await second.beat("")
    assert await addresses(first, actor) == [peer.url, ""]
    assert await addresses(second, actor) == ["", peer.url]


async def test_a_replica_that_left_is_gone_at_once(first: Replicas, second: Replicas, actor: Actor) -> None:
    await second.beat("")
    assert len(await first.list(actor)) == 2
    await second.leave()
    assert len(await first.list(actor)) == 1


async def test_a_crashed_replica_is_gone_after_fifteen_seconds(
    first: Replicas, second: Replicas, actor: Actor, clock: Clock
) -> None:
    await second.beat("")
    clock.move(15)
    assert len(await first.list(actor)) == 2
    clock.move(0.001)
    assert len(await first.list(actor)) == 1


@fault(
    name="replica of the server paused",
    injected="In process, by a clock of the test's: one is not heard of for longer than it lives.",
    verdict="It is missing while it sleeps, and listed again afterwards.",
)
async def test_a_replica_that_was_paused_comes_back(
    first: Replicas, second: Replicas, actor: Actor, clock: Clock
) -> None:
    await second.beat("")
    clock.move(1000)
    await first.beat("")
    await second.beat("")
    assert len(await first.list(actor)) == 2


async def test_rows_of_crashed_replicas_are_removed(
    first: Replicas, second: Replicas, database: Database, clock: Clock
) -> None:
    await second.beat("")
    clock.move(121)
    await first.beat("")
    count = await database.read(lambda connection: connection.execute(select(func.count()).select_from(table)).scalar())
    assert count == 1


async def test_the_latency_of_the_database_is_measured(first: Replicas, actor: Actor) -> None:
    await first.beat("")
    (own,) = await first.list(actor)
    assert 0 < own.database_latency < 10_000_000
    assert own.region_id == 999
    assert own.hostname


async def test_a_peer_that_answers_is_no_error(
    first: Replicas, second: Replicas, probes: Probes, actor: Actor, peer: Endpoint
) -> None:
    await second.beat("")
    await ReplicaSync(first, probes, ignore).sync()
    assert (await first.list(actor))[-1].error == ""
    assert peer.asked == ["/derp/latency-check"]


async def test_a_peer_that_answers_with_a_failure_is_named(
    first: Replicas, second: Replicas, probes: Probes, actor: Actor, peer: Endpoint
) -> None:
    peer.status = 500
    await second.beat("")
    await ReplicaSync(first, probes, ignore).sync()
    assert f"{peer.url}/derp/latency-check: answered 500" in (await first.list(actor))[-1].error


async def test_all_peers_that_cannot_be_reached_are_named_to_everybody(
    first: Replicas, probes: Probes, actor: Actor, database: Database, clock: Clock
) -> None:
    urls = [f"http://127.0.0.1:{port}" for port in free_ports(2)]
    silent = [Replicas(database, url, clock) for url in urls]
    for replica in silent:
        await replica.beat("")
    await ReplicaSync(first, probes, ignore).sync()
    error = next(item for item in await silent[0].list(actor) if not item.relay_address).error
    assert all(url in error for url in urls)
    assert error.count("; ") == 1


async def test_a_peer_that_hangs_is_given_up(
    first: Replicas,
    second: Replicas,
    probes: Probes,
    actor: Actor,
    peer: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker, "TIMEOUT", 0.2)
    peer.hold()
    await second.beat("")
    await ReplicaSync(first, probes, ignore).sync()
    peer.release()
    assert "no answer within" in (await first.list(actor))[-1].error


async def test_an_error_goes_when_its_peer_does(
    first: Replicas, second: Replicas, probes: Probes, actor: Actor, peer: Endpoint
) -> None:
    peer.status = 500
    await second.beat("")
    sync = ReplicaSync(first, probes, ignore)
    await sync.sync()
    await second.leave()
    await sync.sync()
    assert (await first.list(actor))[-1].error == ""


async def test_the_worker_joins_at_its_start_and_leaves_at_its_end(
    first: Replicas, second: Replicas, probes: Probes, database: Database
) -> None:
    task = asyncio.create_task(ReplicaSync(second, probes, ignore).run())
    seen = 0
    async with asyncio.timeout(10):
        while not seen:
            seen = len(await first.peers())
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await first.peers() == []


async def test_the_worker_keeps_the_row_alive(
    first: Replicas, second: Replicas, probes: Probes, peer: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "HEARTBEAT", 0.05)
    await second.beat("")
    task = asyncio.create_task(ReplicaSync(first, probes, ignore).run())
    await wait_for(lambda: len(peer.asked) > 2, "peers are asked again and again")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_how_many_servers_there_are_is_counted_at_each_turn(
    first: Replicas, second: Replicas, probes: Probes
) -> None:
    counts: list[int] = []
    sync = ReplicaSync(first, probes, counts.append)
    await sync.sync()
    await second.beat("")
    await sync.sync()
    await second.leave()
    await sync.sync()
    assert counts == [1, 2, 1]
