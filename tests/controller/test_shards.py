"""Who works for which deployment: fairly, without a gap, and never two at once.

Each write of a replica asserts that no other replica may write for that deployment at that moment.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from coder_enterprise.cluster import marks
from coder_enterprise.controller import lease, shards
from coder_enterprise.kinds.machinery.resource import Key
from tests.support.faults import fault
from tests.support.leases import LeaseAPI, Replica, refuse

pytestmark = pytest.mark.looptime

TAKEOVER = 20.0


def deployment(number: int) -> Key:
    return Key("CoderDeployment", "team", f"coder-{number}")


class Fleet:
    def __init__(self) -> None:
        self.api = LeaseAPI()
        self.deployments: set[Key] = set()
        self.replicas: list[Replica] = []
        self._count = 0

    def declare(self, *numbers: int) -> None:
        self.deployments |= {deployment(number) for number in numbers}
        for replica in self.replicas:
            replica.shards.wake()

    def retract(self, *numbers: int) -> None:
        self.deployments -= {deployment(number) for number in numbers}
        for replica in self.replicas:
            replica.shards.wake()

    def add(self) -> Replica:
        self._count += 1
        replica = Replica(self.api, f"r{self._count}", self.deployments, self.replicas)
        replica.start()
        return replica

    async def kill(self, replica: Replica) -> None:
        self.replicas.remove(replica)
        await replica.kill()

    async def end(self, replica: Replica) -> None:
        await replica.end()
        self.replicas.remove(replica)

    async def close(self) -> None:
        while self.replicas:
            await self.kill(self.replicas[-1])

    @property
    def shares(self) -> list[int]:
        return sorted(len(replica.shards.held) for replica in self.replicas)

    @property
    def worked_for(self) -> set[Key]:
        return {key for replica in self.replicas for key in replica.shards.held if replica.membership.alive}

    async def until_all_are_worked_for(self, within: float = TAKEOVER) -> None:
        async with asyncio.timeout(within):
            while self.worked_for != self.deployments:
                await asyncio.sleep(0.05)


@pytest_asyncio.fixture
async def fleet() -> AsyncIterator[Fleet]:
    group = Fleet()
    yield group
    await group.close()


async def settled(fleet: Fleet, replicas: int, deployments: int) -> list[Replica]:
    fleet.declare(*range(deployments))
    found = [fleet.add() for _ in range(replicas)]
    await asyncio.sleep(30)
    await fleet.until_all_are_worked_for(0.1)
    return found


# Shares


async def test_one_replica_takes_everything_at_once(fleet: Fleet) -> None:
    fleet.declare(*range(20))
    fleet.add()
    await fleet.until_all_are_worked_for(1)


async def test_at_rest_ten_deployments_cost_one_write_in_two_seconds(fleet: Fleet) -> None:
    (replica,) = await settled(fleet, 1, 10)
    replica.effort = 1000
    writes = len(fleet.api.writes)
    await asyncio.sleep(3600)
    later = Counter(fleet.api.writes[writes:])
    assert len(later) == 1
    assert sum(later.values()) <= 1800


@pytest.mark.parametrize(("replicas", "deployments"), [(2, 2), (2, 7), (3, 3), (3, 10), (4, 2), (5, 23)])
async def test_replicas_that_start_together_share_fairly(fleet: Fleet, replicas: int, deployments: int) -> None:
    await settled(fleet, replicas, deployments)
    assert sum(fleet.shares) == deployments
    assert fleet.shares[-1] <= -(-deployments // replicas)


async def test_a_replica_that_comes_later_gets_its_share(fleet: Fleet) -> None:
    await settled(fleet, 1, 6)
    fleet.add()
    await asyncio.sleep(6)
    assert fleet.shares == [3, 3]
    fleet.add()
    await asyncio.sleep(6)
    assert fleet.shares == [2, 2, 2]


async def test_shares_that_are_fair_stay_as_they_are(fleet: Fleet) -> None:
    for replica in await settled(fleet, 3, 7):
        replica.effort = 1000
    writes = len(fleet.api.writes)
    await asyncio.sleep(600)
    assert {write.partition(" ")[0] for write in fleet.api.writes[writes:]} == {"replace"}
    assert len(set(fleet.api.writes[writes:])) == 3


async def test_a_new_deployment_is_taken_without_waiting_for_the_next_beat(fleet: Fleet) -> None:
    await settled(fleet, 2, 2)
    for number in range(2, 12):
        fleet.declare(number)
        await fleet.until_all_are_worked_for(0.2)
        await asyncio.sleep(1.03)
    assert fleet.shares == [6, 6]


async def test_the_lease_of_a_deployment_that_is_gone_goes_too(fleet: Fleet) -> None:
    (replica,) = await settled(fleet, 1, 2)
    fleet.retract(1)
    await asyncio.sleep(3)
    assert replica.shards.held == {deployment(0)}
    assert replica.forgotten == [deployment(1)]
    assert fleet.api.of(deployment(1)) is None
    fleet.declare(1)
    await fleet.until_all_are_worked_for(0.2)


async def test_a_lease_says_which_deployment_it_is_about(fleet: Fleet) -> None:
    await settled(fleet, 1, 1)
    body = fleet.api.of(deployment(0))
    assert body is not None
    assert body["metadata"]["annotations"] == {marks.DEPLOYMENT: "team/coder-0"}
    assert body["metadata"]["labels"] == {marks.OPERATOR_LABEL: "operator"}
    assert len(body["metadata"]["name"]) <= 63


# Giving up


async def giving_up(fleet: Fleet, effort: float) -> tuple[Replica, Key]:
    """A replica with work of `effort` seconds at hand, and the deployment that it leaves to a new one."""
    (first,) = await settled(fleet, 1, 2)
    first.effort = effort
    await asyncio.sleep(1)
    fleet.add()
    await asyncio.sleep(3)
    (leaving,) = fleet.deployments - first.shards.held
    assert first.may_write(leaving)
    return first, leaving


async def test_work_is_finished_before_a_deployment_is_given_up(fleet: Fleet) -> None:
    first, leaving = await giving_up(fleet, effort=5.0)
    assert len(first.shards.held) == 1
    assert fleet.api.holder(leaving) == "r1", "it is still at work"
    await fleet.until_all_are_worked_for(8)
    assert first.forgotten == [leaving]


async def test_work_that_does_not_end_may_not_write_any_more_but_is_waited_for(fleet: Fleet) -> None:
    first, leaving = await giving_up(fleet, effort=60.0)
    await asyncio.sleep(shards.DRAIN_TIMEOUT)
    assert not first.may_write(leaving)
    assert fleet.api.holder(leaving) == "r1"
    await fleet.until_all_are_worked_for(60)


async def test_a_replica_that_ends_leaves_nothing_behind_and_others_follow_at_once(fleet: Fleet) -> None:
    first, _ = await settled(fleet, 2, 4)
    await fleet.end(first)
    await fleet.until_all_are_worked_for(3)
    assert "r1" not in str(fleet.api.leases)


async def test_the_last_replica_that_ends_lets_the_next_start_at_once(fleet: Fleet) -> None:
    (first,) = await settled(fleet, 1, 4)
    await fleet.end(first)
    fleet.add()
    await fleet.until_all_are_worked_for(1)


# What goes wrong


async def test_what_a_killed_replica_worked_for_is_taken_over_within_twenty_seconds(fleet: Fleet) -> None:
    for _ in range(5):
        first = (await settled(fleet, 3, 9))[0]
        await asyncio.sleep(random.uniform(0, 2))
        await fleet.kill(first)
        await fleet.until_all_are_worked_for()
        await fleet.close()


async def test_a_replica_without_an_answer_stops_before_others_begin(fleet: Fleet) -> None:
    first, second = await settled(fleet, 2, 4)
    first.client.hangs = True
    await asyncio.sleep(TAKEOVER)
    assert first.ended
    assert fleet.shares[-1] == len(second.shards.held) == 4


@fault(
    name="answers of the API server lost",
    injected="In process: renewals arrive, and their answers do not.",
    verdict="The replica stops before another one begins.",
)
async def test_a_replica_whose_answers_are_lost_stops_although_its_renewals_arrive(fleet: Fleet) -> None:
    first, second = await settled(fleet, 2, 4)
    first.client.answers = False
    await asyncio.sleep(40)
    assert first.ended
    assert len(second.shards.held) == 4


async def test_an_api_server_that_is_out_for_long_ends_all_and_for_short_none(fleet: Fleet) -> None:
    replicas = await settled(fleet, 3, 6)
    for replica in replicas:
        replica.client.fault = refuse("list", "replace", "create")
    await asyncio.sleep(6)
    for replica in replicas:
        replica.client.fault = refuse()
    await asyncio.sleep(10)
    assert not any(replica.ended for replica in replicas)
    for replica in replicas:
        replica.client.fault = refuse("list", "replace", "create")
    await asyncio.sleep(13)
    assert all(replica.ended for replica in replicas)
    assert not any(replica.may_write(key) for replica in replicas for key in fleet.deployments)


@fault(
    name="clocks of the replicas differ",
    injected="In process: the times in the Leases are hours apart.",
    verdict="A dead replica is replaced as always, and a living one never.",
)
async def test_clocks_that_differ_change_nothing(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "micro_time", lambda: f"{random.randint(1970, 2999)}-01-01T00:00:00.000000Z")
    first, *_ = await settled(fleet, 3, 6)
    assert fleet.shares == [2, 2, 2]
    await fleet.kill(first)
    await fleet.until_all_are_worked_for()


async def test_a_deployment_that_is_taken_by_force_is_left_at_once_and_the_rest_goes_on(fleet: Fleet) -> None:
    (first,) = await settled(fleet, 1, 3)
    lost = deployment(1)
    fleet.api.seize(lost, "somebody")
    await asyncio.sleep(2.2)
    assert not first.may_write(lost)
    assert first.shards.held == fleet.deployments - {lost}
    assert not first.ended
    await asyncio.sleep(1)
    assert first.forgotten == [lost]
    assert fleet.api.holder(lost) == "somebody"
    await fleet.until_all_are_worked_for()


async def test_what_is_taken_by_force_while_it_is_being_given_up_is_left_at_once(fleet: Fleet) -> None:
    first, leaving = await giving_up(fleet, effort=60.0)
    fleet.api.seize(leaving, "somebody")
    await asyncio.sleep(2.2)
    assert not first.may_write(leaving)


async def test_the_lease_of_a_deployment_that_somebody_deletes_is_made_again_by_its_holder(fleet: Fleet) -> None:
    await settled(fleet, 2, 2)
    holders = {key: fleet.api.holder(key) for key in fleet.deployments}
    for key in fleet.deployments:
        del fleet.api.leases[str((fleet.api.of(key) or {})["metadata"]["name"])]
    await asyncio.sleep(5)
    assert {key: fleet.api.holder(key) for key in fleet.deployments} == holders


async def test_taking_that_is_refused_is_tried_again_and_delays_no_beat(fleet: Fleet) -> None:
    replica = fleet.add()
    replica.client.fault = refuse("create")
    await asyncio.sleep(1)
    replica.client.fault = refuse()
    await asyncio.sleep(3)
    replica.client.fault = refuse("create")
    fleet.declare(*range(3))
    await asyncio.sleep(60)
    assert not replica.ended
    assert replica.shards.held == frozenset()
    replica.client.fault = refuse()
    await fleet.until_all_are_worked_for(2.5)


async def test_what_was_taken_although_the_answer_was_lost_is_worked_for(fleet: Fleet) -> None:
    replica = fleet.add()
    await asyncio.sleep(1)
    replica.client.answers = False
    fleet.declare(1)
    await asyncio.sleep(3)
    replica.client.answers = True
    assert fleet.api.holder(deployment(1)) == "r1"
    await fleet.until_all_are_worked_for(8)


@fault(
    name="anything to the Leases",
    injected=(
        "In process, twenty-five random courses: replicas are added, killed and ended, requests hang, fail or "
        "lose their answers, CoderDeployments come and go, work takes long."
    ),
    verdict="Two never write for one deployment, and none is left alone.",
)
@pytest.mark.parametrize("seed", range(25))
async def test_whatever_happens_two_replicas_never_write_for_one_deployment_and_none_is_left_alone(
    fleet: Fleet, seed: int
) -> None:
    chance = random.Random(seed)
    fleet.declare(*range(chance.randint(1, 9)))
    fleet.add()
    for _ in range(25):
        await asyncio.sleep(chance.choice((0.1, 1, 5, 16)))
        await happen(fleet, chance)
    for replica in [replica for replica in fleet.replicas if replica.ended]:
        await fleet.kill(replica)
    for replica in fleet.replicas:
        replica.client.hangs, replica.client.answers, replica.client.fault = False, True, refuse()
    fleet.add()
    await fleet.until_all_are_worked_for(3 * TAKEOVER)


async def happen(fleet: Fleet, chance: random.Random) -> None:
    replica = chance.choice(fleet.replicas) if fleet.replicas else fleet.add()
    event = chance.choice(("add", "kill", "end", "connection", "connection", "declare", "retract", "slow"))
    if event == "add" and len(fleet.replicas) < 4:
        fleet.add()
    elif event == "kill":
        await fleet.kill(replica)
    elif event == "end" and not replica.client.hangs and not replica.ended:
        await fleet.end(replica)
    elif event == "connection":
        replica.client.hangs = chance.random() < 0.3
        replica.client.answers = chance.random() < 0.7
        replica.client.fault = refuse(chance.choice(("", "list", "create", "replace", "delete")))
    elif event == "declare":
        fleet.declare(chance.randint(0, 12))
    elif event == "retract" and len(fleet.deployments) > 1:
        fleet.retract(chance.randint(0, 12))
    elif event == "slow":
        replica.effort = chance.choice((0.2, 3, 20))
