"""Leader election: who leads, for how long, and who says so, on a fake clock."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, cast

import pytest
import pytest_asyncio

from coder_enterprise.controller.kubernetes import Collection, Conflicted, Gone, KubernetesClient, KubernetesError
from coder_enterprise.controller.leases import Elector, LeadershipLost

pytestmark = pytest.mark.looptime

Body = dict[str, Any]


class FakeLeases:
    """An API server with one Lease. `fault` may raise, or wait for ever, before each request."""

    def __init__(self) -> None:
        self.lease: Body | None = None
        self.writes = 0
        self.fault: Callable[[str], None] = lambda _: None
        self.hangs = False
        self._version = 0

    async def get(self, collection: Collection, namespace: str, name: str) -> Body:
        await self._pass("get")
        if self.lease is None:
            raise Gone(404, "NotFound", "no lease")
        return copy.deepcopy(self.lease)

    async def create(self, collection: Collection, namespace: str, body: Mapping[str, Any]) -> Body:
        await self._pass("create")
        if self.lease is not None:
            raise Conflicted(409, "AlreadyExists", "it exists")
        return self.put(copy.deepcopy(dict(body)))

    async def replace(self, collection: Collection, namespace: str, body: Mapping[str, Any]) -> Body:
        await self._pass("replace")
        if self.lease is None:
            raise Gone(404, "NotFound", "no lease")
        if body["metadata"].get("resourceVersion") != self.lease["metadata"]["resourceVersion"]:
            raise Conflicted(409, "Conflict", "it has been modified")
        return self.put(copy.deepcopy(dict(body)))

    def put(self, body: Body) -> Body:
        self._version += 1
        self.writes += 1
        body["metadata"]["resourceVersion"] = str(self._version)
        self.lease = body
        return copy.deepcopy(body)

    def held_by(self, holder: str, **spec: Any) -> None:
        known = self.lease["spec"] if self.lease else {"leaseDurationSeconds": 15, "renewTime": "t"}
        self.put({"metadata": {"name": "lease"}, "spec": {**known, "holderIdentity": holder, **spec}})

    @property
    def spec(self) -> Body:
        assert self.lease is not None
        return dict(self.lease["spec"])

    async def _pass(self, verb: str) -> None:
        await asyncio.sleep(0.01)
        self.fault(verb)
        if self.hangs:
            await asyncio.sleep(1e9)


@pytest.fixture
def api() -> FakeLeases:
    return FakeLeases()


def candidate(api: FakeLeases, identity: str = "us") -> Elector:
    return Elector(cast("KubernetesClient", api), "system", "lease", identity)


@pytest_asyncio.fixture
async def tasks() -> AsyncIterator[set[asyncio.Task[None]]]:
    """What still runs at the end is cancelled."""
    running: set[asyncio.Task[None]] = set()
    yield running
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


def now() -> float:
    return asyncio.get_running_loop().time()


def refuse(*verbs: str) -> Callable[[str], None]:
    def fault(verb: str) -> None:
        if verb in verbs:
            raise KubernetesError(500, "InternalError", "no")

    return fault


async def lost_after(elector: Elector) -> float:
    started = now()
    with pytest.raises(LeadershipLost):
        await elector.hold()
    assert not elector.leads
    return now() - started


async def test_a_lease_that_does_not_exist_is_taken_at_once(api: FakeLeases) -> None:
    elector = candidate(api)
    with pytest.raises(LeadershipLost):
        elector.check()
    await elector.acquire()
    elector.check()
    assert now() < 1
    assert (api.spec["holderIdentity"], api.spec["leaseTransitions"]) == ("us", 0)
    assert api.spec["acquireTime"] == api.spec["renewTime"]


async def test_a_lease_without_a_spec_is_taken(api: FakeLeases) -> None:
    api.put({"metadata": {"name": "lease"}})
    await candidate(api).acquire()
    assert api.spec["holderIdentity"] == "us"


async def test_a_released_lease_is_taken_at_once(api: FakeLeases) -> None:
    api.held_by("", leaseTransitions=4)
    await candidate(api).acquire()
    assert now() < 1
    assert api.spec["leaseTransitions"] == 5


async def test_a_living_holder_is_respected(api: FakeLeases, tasks: set[asyncio.Task[None]]) -> None:
    api.held_by("them")
    waiting = asyncio.create_task(candidate(api).acquire())
    tasks.add(waiting)
    for number in range(30):
        await asyncio.sleep(10)
        api.held_by("them", renewTime=f"t{number}")
    assert not waiting.done()
    assert api.spec["holderIdentity"] == "them"


@pytest.mark.parametrize("renewed", ["1970-01-01T00:00:00.0Z", "2999-01-01T00:00:00.0Z"])
async def test_a_dead_holder_is_replaced_by_our_own_clock_whatever_its_clock_said(
    api: FakeLeases, renewed: str
) -> None:
    api.held_by("them", renewTime=renewed, leaseDurationSeconds=20, leaseTransitions=1)
    elector = candidate(api)
    await elector.acquire()
    assert 20 < now() < 24
    assert (api.spec["holderIdentity"], api.spec["leaseTransitions"]) == ("us", 2)


async def test_it_is_held_for_hours_and_each_renewal_is_one_write(
    api: FakeLeases, tasks: set[asyncio.Task[None]]
) -> None:
    elector = candidate(api)
    await elector.acquire()
    taken = api.spec
    tasks.add(asyncio.create_task(elector.hold()))
    await asyncio.sleep(3600)
    elector.check()
    assert api.writes == pytest.approx(3600 / 2.02, abs=5)
    assert api.spec["acquireTime"] == taken["acquireTime"]
    assert api.spec["leaseTransitions"] == 0


@pytest.mark.parametrize("verb", ["get", "replace"])
async def test_it_is_lost_when_it_could_not_be_renewed_until_the_deadline(api: FakeLeases, verb: str) -> None:
    elector = candidate(api)
    await elector.acquire()
    api.fault = refuse(verb)
    assert 8 <= await lost_after(elector) <= 12.1


async def test_an_api_server_that_hangs_is_waited_for_until_the_deadline_and_no_longer(api: FakeLeases) -> None:
    elector = candidate(api)
    await elector.acquire()
    api.hangs = True
    assert 9.5 <= await lost_after(elector) <= 10.1


async def test_the_fence_closes_at_the_deadline_even_while_a_renewal_hangs(
    api: FakeLeases, tasks: set[asyncio.Task[None]]
) -> None:
    elector = candidate(api)
    await elector.acquire()
    api.hangs = True
    tasks.add(asyncio.create_task(elector.hold()))
    await asyncio.sleep(9.9)
    elector.check()
    await asyncio.sleep(0.2)
    with pytest.raises(LeadershipLost):
        elector.check()


async def test_a_short_failure_is_survived(api: FakeLeases, tasks: set[asyncio.Task[None]]) -> None:
    elector = candidate(api)
    await elector.acquire()
    holding = asyncio.create_task(elector.hold())
    tasks.add(holding)
    for _ in range(20):
        api.fault = refuse("get")
        await asyncio.sleep(6)
        api.fault = refuse()
        await asyncio.sleep(4)
    assert not holding.done()


async def test_who_sees_another_holder_stops_at_once(api: FakeLeases) -> None:
    elector = candidate(api)
    await elector.acquire()
    api.held_by("them")
    assert await lost_after(elector) < 2.1
    assert api.spec["holderIdentity"] == "them"


async def test_who_slept_past_the_deadline_does_not_take_a_free_lease_as_if_nothing_had_been(api: FakeLeases) -> None:
    elector = candidate(api)
    await elector.acquire()
    api.held_by("")  # another has led and gone while we slept
    elector._renewed_at -= 60
    await lost_after(elector)
    assert api.spec["holderIdentity"] == ""


async def test_a_lease_that_is_deleted_is_made_again(api: FakeLeases, tasks: set[asyncio.Task[None]]) -> None:
    elector = candidate(api)
    await elector.acquire()
    tasks.add(asyncio.create_task(elector.hold()))
    api.lease = None
    await asyncio.sleep(30)
    elector.check()
    assert api.spec["holderIdentity"] == "us"


async def test_of_many_candidates_one_leads_and_the_next_when_it_ends(
    api: FakeLeases, tasks: set[asyncio.Task[None]]
) -> None:
    electors = [candidate(api, f"c{number}") for number in range(10)]
    tasks.update(asyncio.create_task(elector.acquire()) for elector in electors)
    for _ in electors:
        await asyncio.sleep(5)
        (leader,) = [elector for elector in electors if elector.leads]
        await leader.release()
        assert not leader.leads
        electors = [elector for elector in electors if elector is not leader]


async def test_a_conflict_of_two_writes_makes_nobody_lead_twice(api: FakeLeases) -> None:
    first, second = candidate(api, "first"), candidate(api, "second")
    assert sorted(await asyncio.gather(first._try(), second._try())) == [False, True]
    api.held_by("")
    first._renewed_at = second._renewed_at = float("-inf")
    assert sorted(await asyncio.gather(first._try(), second._try())) == [False, True]


async def test_release_lets_a_successor_start_at_once(api: FakeLeases) -> None:
    elector, successor = candidate(api), candidate(api, "them")
    await elector.acquire()
    assert not await successor._try()
    await elector.release()
    with pytest.raises(LeadershipLost):
        elector.check()
    assert await successor._try()


async def test_release_leaves_alone_what_is_not_ours(api: FakeLeases) -> None:
    elector = candidate(api)
    await elector.release()
    assert api.lease is None
    await elector.acquire()
    api.held_by("them")
    await elector.release()
    assert api.spec["holderIdentity"] == "them"


async def test_release_does_not_wait_for_an_api_server_that_hangs(api: FakeLeases) -> None:
    elector = candidate(api)
    await elector.acquire()
    api.hangs = True
    started = now()
    await elector.release()
    assert now() - started <= 5.1
