"""Leases: who lives, who has what, and for how long, on a fake clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import cast

import pytest
import pytest_asyncio

from coder_enterprise.client.clock import now
from coder_enterprise.controller import lease as lease_module
from coder_enterprise.controller import leases
from coder_enterprise.controller.leases import LeadershipLost, Membership
from coder_enterprise.kinds.machinery.resource import Key
from tests.support.faults import fault
from tests.support.leases import LeaseAPI, LeaseClient, member, refuse

REAL_CLOCK = leases._now
"""Before the fake one takes its place."""


pytestmark = pytest.mark.looptime

CODER = Key("CoderDeployment", "team", "coder")


@pytest.fixture
def api() -> LeaseAPI:
    return LeaseAPI()


@pytest_asyncio.fixture
async def tasks() -> AsyncIterator[set[asyncio.Task[None]]]:
    """What still runs at the end is cancelled."""
    running: set[asyncio.Task[None]] = set()
    yield running
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def seconds_until_free(membership: Membership) -> float:
    """Until nobody works for the deployment, with a beat each second."""
    started = now()
    while not membership.is_free(CODER):
        await asyncio.sleep(1)
        await membership.beat()
    return now() - started


def client(membership: Membership) -> LeaseClient:
    return cast("LeaseClient", membership._client)


async def joined(api: LeaseAPI, identity: str = "us") -> Membership:
    membership = member(api, identity)
    await membership.join()
    return membership


async def live(membership: Membership) -> None:
    while True:
        await membership.beat()
        await asyncio.sleep(2)


async def lost_after(membership: Membership) -> float:
    started = now()
    with pytest.raises(LeadershipLost):
        await live(membership)
    assert not membership.alive
    return now() - started


async def taken(api: LeaseAPI, identity: str = "them") -> Membership:
    """Another replica, which has the deployment."""
    other = await joined(api, identity)
    assert await other.take(CODER)
    return other


# One's own Lease


async def test_before_it_has_joined_nothing_may_be_written(api: LeaseAPI) -> None:
    membership = member(api)
    with pytest.raises(LeadershipLost):
        membership.check()
    await membership.join()
    membership.check()
    assert now() < 1
    spec = api.named("us")["spec"]
    assert (spec["holderIdentity"], spec["leaseTransitions"], spec["acquireTime"]) == ("us", 0, spec["renewTime"])


async def test_joining_waits_for_an_api_server_that_is_out(api: LeaseAPI) -> None:
    membership = member(api)
    client(membership).fault = refuse("list")
    joining = asyncio.create_task(membership.join())
    await asyncio.sleep(100)
    assert not joining.done()
    client(membership).fault = refuse()
    await joining
    membership.check()


async def test_it_lives_for_hours_and_each_renewal_is_one_write(api: LeaseAPI, tasks: set[asyncio.Task[None]]) -> None:
    membership = await joined(api)
    assert await membership.take(CODER)
    writes = len(api.writes)
    tasks.add(asyncio.create_task(live(membership)))
    await asyncio.sleep(3600)
    membership.check()
    later = api.writes[writes:]
    assert len(later) == pytest.approx(3600 / 2.04, abs=5)
    assert len(set(later)) == 1, "the Lease of the deployment is not written"


@pytest.mark.parametrize("verb", ["list", "replace"])
async def test_it_is_lost_when_it_could_not_be_renewed_until_the_deadline(api: LeaseAPI, verb: str) -> None:
    membership = await joined(api)
    client(membership).fault = refuse(verb)
    assert 8 <= await lost_after(membership) <= 12.1


async def test_an_api_server_that_hangs_is_waited_for_until_the_deadline_and_no_longer(api: LeaseAPI) -> None:
    membership = await joined(api)
    client(membership).hangs = True
    assert 9.5 <= await lost_after(membership) <= 10.1


async def test_the_fence_closes_at_the_deadline_even_while_a_renewal_hangs(
    api: LeaseAPI, tasks: set[asyncio.Task[None]]
) -> None:
    membership = await joined(api)
    client(membership).hangs = True
    tasks.add(asyncio.create_task(live(membership)))
    await asyncio.sleep(9.9)
    membership.check()
    await asyncio.sleep(0.2)
    with pytest.raises(LeadershipLost):
        membership.check()


async def test_a_renewal_counts_from_its_beginning_however_late_its_answer_comes(api: LeaseAPI) -> None:
    """Others may have seen it since then."""
    membership = await joined(api)
    client(membership).latency = 1.2
    started = now()
    await membership.beat()
    assert now() > started + 4, "all its requests are slow"
    await asyncio.sleep(started + 9.9 - now())
    membership.check()
    await asyncio.sleep(0.2)
    with pytest.raises(LeadershipLost):
        membership.check()


async def test_a_short_failure_is_survived(api: LeaseAPI, tasks: set[asyncio.Task[None]]) -> None:
    membership = await joined(api)
    living = asyncio.create_task(live(membership))
    tasks.add(living)
    for _ in range(20):
        client(membership).fault = refuse("list")
        await asyncio.sleep(6)
        client(membership).fault = refuse()
        await asyncio.sleep(4)
    assert not living.done()


async def test_who_slept_past_the_deadline_ends_without_a_word(api: LeaseAPI) -> None:
    membership = await joined(api)
    membership._renewed_at -= 60
    writes = len(api.writes)
    assert await lost_after(membership) < 0.1
    assert len(api.writes) == writes


async def test_its_own_lease_that_is_deleted_is_made_again(api: LeaseAPI, tasks: set[asyncio.Task[None]]) -> None:
    membership = await joined(api)
    tasks.add(asyncio.create_task(live(membership)))
    api.leases.clear()
    await asyncio.sleep(30)
    membership.check()
    assert api.named("us")["spec"]["holderIdentity"] == "us"


# Others


async def test_the_deployments_of_a_living_replica_are_not_free(api: LeaseAPI, tasks: set[asyncio.Task[None]]) -> None:
    other, membership = await taken(api), await joined(api)
    tasks.add(asyncio.create_task(live(other)))
    for _ in range(300):
        await membership.beat()
        assert not membership.is_free(CODER)
        assert membership.replicas == 2
        await asyncio.sleep(2)


@pytest.mark.parametrize("moment", ["1970-01-01T00:00:00.0Z", "2999-01-01T00:00:00.0Z"])
async def test_those_of_a_dead_one_are_free_by_our_own_clock_whatever_its_clock_said(
    api: LeaseAPI, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_module, "micro_time", lambda: moment)
    await taken(api)
    membership = await joined(api)
    assert 15 <= await seconds_until_free(membership) <= 17
    assert membership.replicas == 1
    assert await membership.take(CODER)
    lease = membership.lease(CODER)
    assert lease is not None
    assert (lease.holder, lease.transitions) == ("us", 1)


async def test_who_could_not_look_for_long_does_not_take_from_who_may_live(
    api: LeaseAPI, tasks: set[asyncio.Task[None]]
) -> None:
    """The other had renewed its Lease before we could look again."""
    other, membership = await taken(api), await joined(api)
    living = asyncio.create_task(live(other))
    tasks.add(living)
    await membership.beat()
    client(membership).fault = refuse("list")
    for _ in range(3):
        await asyncio.sleep(2)
        await membership.beat()
        assert not membership.is_free(CODER)


async def test_that_a_replica_without_a_lease_of_its_own_is_dead_is_seen_after_a_while(api: LeaseAPI) -> None:
    await taken(api, "them")
    del api.leases[api.named("replica-")["metadata"]["name"]]
    membership = await joined(api)
    assert 15 <= await seconds_until_free(membership) <= 17


async def test_of_two_that_take_at_once_one_has_it(api: LeaseAPI) -> None:
    first, second = await joined(api, "first"), await joined(api, "second")
    assert sorted(await asyncio.gather(first.take(CODER), second.take(CODER))) == [False, True]
    await (first if api.holder(CODER) == "first" else second).give_up(CODER)
    await asyncio.gather(first.beat(), second.beat())
    assert sorted(await asyncio.gather(first.take(CODER), second.take(CODER))) == [False, True]


async def test_what_a_former_process_of_the_same_pod_held_is_free_at_once(api: LeaseAPI) -> None:
    await taken(api, "host_uid-1_before")
    again = member(api, "host_uid-1_after", pod="uid-1")
    await again.join()
    assert again.is_free(CODER)
    assert await again.take(CODER)
    assert again.replicas == 1


@pytest.mark.parametrize("pod", ["uid-2", ""])
async def test_another_pod_of_the_same_host_is_waited_for(api: LeaseAPI, pod: str) -> None:
    await taken(api, "host_uid-1_before")
    other = member(api, f"host_{pod}_after", pod=pod)
    await other.join()
    assert not other.is_free(CODER)
    assert await seconds_until_free(other) > other.times.duration


async def test_what_was_given_up_is_free_at_once(api: LeaseAPI) -> None:
    other, membership = await taken(api), await joined(api)
    assert not membership.is_free(CODER)
    await other.give_up(CODER)
    await membership.beat()
    assert membership.is_free(CODER)


async def test_what_is_not_ours_is_not_given_up(api: LeaseAPI) -> None:
    membership = await taken(api, "us")
    api.seize(CODER, "them")
    await membership.give_up(CODER)
    await membership.beat()
    await membership.give_up(CODER)
    assert api.holder(CODER) == "them"


async def test_a_deleted_lease_is_left_to_its_holder_as_long_as_that_may_not_know(
    api: LeaseAPI, tasks: set[asyncio.Task[None]]
) -> None:
    other, membership = await taken(api), await joined(api)
    tasks.add(asyncio.create_task(live(other)))
    del api.leases[str((api.of(CODER) or {})["metadata"]["name"])]
    started = now()
    await membership.beat()
    while not membership.is_free(CODER):
        await asyncio.sleep(1)
        await membership.beat()
    assert 15 <= now() - started <= 17


async def test_replicas_with_other_namespaces_do_not_count(api: LeaseAPI) -> None:
    await member(api, "them", "team-a").join()
    membership = await joined(api)
    await membership.beat()
    assert membership.replicas == 1


async def test_leases_that_nobody_needs_are_found_and_removed(api: LeaseAPI) -> None:
    other = await taken(api)
    await other.give_up(CODER)
    membership = await joined(api)
    assert membership.stray({CODER}) == []
    (lease,) = membership.stray(set())
    await membership.remove(lease)
    assert api.of(CODER) is None


async def test_a_lease_that_was_taken_meanwhile_is_not_removed(api: LeaseAPI) -> None:
    other = await taken(api)
    await other.give_up(CODER)
    membership = await joined(api)
    assert await other.take(CODER)
    for lease in membership.stray(set()):
        await membership.remove(lease)
    assert api.holder(CODER) == "them"


async def test_the_lease_of_a_replica_that_died_long_ago_is_removed(api: LeaseAPI) -> None:
    await joined(api, "them")
    membership = await joined(api)
    started = now()
    while not (found := membership.stray(set())):
        await asyncio.sleep(5)
        await membership.beat()
    assert now() - started > 600
    assert [lease.holder for lease in found] == ["them"]


# The end


async def test_who_leaves_lets_others_have_all_at_once(api: LeaseAPI) -> None:
    other, membership = await taken(api), await joined(api)
    await other.leave()
    with pytest.raises(LeadershipLost):
        other.check()
    await membership.beat()
    assert membership.is_free(CODER)
    assert membership.replicas == 1


async def test_who_has_lost_its_lease_leaves_all_as_it_is(api: LeaseAPI) -> None:
    other = await taken(api)
    other._renewed_at -= 60
    writes = len(api.writes)
    await other.leave()
    assert len(api.writes) == writes


@pytest.mark.parametrize("fault", [refuse("replace", "delete"), None])
async def test_leaving_does_not_wait_for_an_api_server_that_is_out(
    api: LeaseAPI, fault: Callable[[str], None] | None
) -> None:
    other = await taken(api)
    client(other).hangs = fault is None
    client(other).fault = fault or refuse()
    started = now()
    await other.leave()
    assert now() - started <= 5.1


@fault(
    name="machine suspended",
    injected="In process: which clock the Leases are timed by.",
    verdict="The one that goes on meanwhile.",
)
def test_the_clock_goes_on_while_the_machine_is_suspended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    monkeypatch.setattr(time, "clock_gettime", {time.CLOCK_BOOTTIME: 42.0}.__getitem__)
    assert REAL_CLOCK() == 42.0
