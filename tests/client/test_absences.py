"""Names that a list does not have: looked for at once, and then ever more seldom."""

from __future__ import annotations

import asyncio

import pytest

from coder_enterprise.client.absences import FIRST_LOOK, MAX_LOOK
from coder_enterprise.client.clock import now
from coder_enterprise.client.snapshots import Snapshot

pytestmark = pytest.mark.looptime


class People:
    """A list that changes, and counts how often it was read."""

    def __init__(self, *names: str) -> None:
        self.names = set(names)
        self.reads = 0
        self.snapshot: Snapshot[frozenset[str]] = Snapshot(self._load)

    async def _load(self) -> frozenset[str]:
        self.reads += 1
        return frozenset(self.names)

    async def miss(self, *names: str, fresh: bool = False) -> set[str]:
        """Who of these is not there."""
        found = await self.snapshot.search(lambda known: set(names) - known, now(), fresh=fresh)
        return set(names) - found


async def test_who_is_there_costs_no_second_look() -> None:
    people = People("ann")
    for _ in range(3):
        assert await people.miss("ann") == set()
        await asyncio.sleep(60)
    assert people.reads == 1


async def test_who_is_new_is_found_at_once() -> None:
    people = People("ann")
    await people.miss("ann")
    await asyncio.sleep(10)
    people.names.add("bob")
    assert await people.miss("bob") == set()


async def test_a_misspelt_name_is_looked_for_ever_more_seldom() -> None:
    people = People("ann")
    waited = []
    for _ in range(7):
        assert await people.miss("anne") == {"anne"}
        reads = people.reads
        assert await people.miss("anne") == {"anne"}
        assert people.reads == reads
        waited.append(people.snapshot.look_in)
        await asyncio.sleep(people.snapshot.look_in)
    assert waited == [FIRST_LOOK, 40, 80, 160, MAX_LOOK, MAX_LOOK, MAX_LOOK]


async def test_many_misspelt_names_share_one_look() -> None:
    people = People("ann")
    for number in range(20):
        await asyncio.sleep(1)
        await people.miss(f"anne{number}")
    reads = people.reads
    await asyncio.sleep(people.snapshot.look_in)
    for number in range(20):
        await people.miss(f"anne{number}")
    assert people.reads == reads + 1


async def test_when_somebody_came_others_are_looked_for_soon() -> None:
    people = People()
    for _ in range(5):
        await people.miss("ann", "bob")
        await asyncio.sleep(people.snapshot.look_in)
    people.names.add("ann")
    assert await people.miss("ann", "bob") == {"bob"}
    assert people.snapshot.look_in == FIRST_LOOK


async def test_whoever_asks_for_a_fresh_look_gets_it() -> None:
    people = People()
    await people.miss("ann")
    await asyncio.sleep(1)
    people.names.add("ann")
    assert await people.miss("ann", fresh=True) == set()
