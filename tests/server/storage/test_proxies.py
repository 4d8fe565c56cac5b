"""Workspace proxies and replicas, kept in each of the two databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from coder_enterprise.server.storage import proxies, replicas
from coder_enterprise.server.storage.database import Connection, Database, Duplicate
from coder_enterprise.server.storage.proxies import Proxy
from coder_enterprise.server.storage.replicas import Replica

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def proxy(name: str) -> Proxy:
    return Proxy(uuid4(), name, "", "", b"\0" * 32, "", "", True, False, "", False, MOMENT, MOMENT)


def replica(seen_at: datetime, *, is_primary: bool = True, region_id: int = 999) -> Replica:
    return Replica(uuid4(), is_primary, region_id, "host", "", "", 5, MOMENT, seen_at, None)


async def add(database: Database, *rows: Proxy) -> None:
    for row in rows:
        await database.write(lambda connection, row=row: proxies.create(connection, row))  # type: ignore[misc]


async def test_proxies_come_by_name_in_any_case(database: Database) -> None:
    await add(database, proxy("b"), proxy("C"), proxy("a-1"), proxy("a1"))
    assert [row.name for row in await database.read(proxies.all_of)] == ["a-1", "a1", "b", "C"]


async def test_a_proxy_is_read_as_it_was_written(database: Database) -> None:
    row = proxy("eu")
    await add(database, row)
    assert await database.read(lambda connection: proxies.get(connection, row.id)) == row
    assert await database.read(lambda connection: proxies.by_name(connection, "eu")) == row
    assert await database.read(lambda connection: proxies.by_name(connection, "EU")) is None


async def test_proxies_are_numbered_and_no_number_is_given_again(database: Database) -> None:
    first, second, third = proxy("a"), proxy("b"), proxy("c")
    await add(database, first, second)
    await database.write(lambda connection: proxies.delete(connection, second.id, MOMENT))
    await add(database, third)

    def numbers(connection: Connection) -> list[int]:
        return [proxies.serial(connection, row.id) for row in (first, second, third)]

    assert await database.read(numbers) == [1, 2, 3]


async def test_a_taken_name_is_a_duplicate_and_leaves_the_transaction_usable(database: Database) -> None:
    await add(database, proxy("eu"))

    def work(connection: Connection) -> int:
        with pytest.raises(Duplicate):
            proxies.create(connection, proxy("EU"))
        return len(proxies.all_of(connection))

    assert await database.write(work) == 1


async def test_a_deleted_proxy_frees_its_name_and_is_found_by_id(database: Database) -> None:
    row = proxy("eu")
    await add(database, row)
    await database.write(lambda connection: proxies.delete(connection, row.id, MOMENT))
    await add(database, proxy("eu"))
    found = await database.read(lambda connection: proxies.get(connection, row.id))
    assert found == row._replace(deleted=True)


async def test_living_replicas_are_those_seen_lately_of_that_kind(database: Database) -> None:
    living, old, stopped = replica(MOMENT), replica(MOMENT - timedelta(seconds=1)), replica(MOMENT)
    proxys = replica(MOMENT, is_primary=False, region_id=10_001)

    def work(connection: Connection) -> list[list[UUID]]:
        for row in (living, old, stopped, proxys):
            replicas.put(connection, row)
        replicas.stop(connection, stopped.id, MOMENT)
        own = replicas.living(connection, MOMENT, is_primary=True, region_id=999)
        theirs = replicas.living(connection, MOMENT, is_primary=False, region_id=10_001)
        return [[row.id for row in rows] for rows in (own, theirs)]

    assert await database.write(work) == [[living.id], [proxys.id]]


async def test_a_replica_is_put_once_and_then_changed(database: Database) -> None:
    row = replica(MOMENT)
    changed = row._replace(error="x", seen_at=MOMENT + timedelta(seconds=5))

    def work(connection: Connection) -> Replica | None:
        replicas.put(connection, row)
        replicas.put(connection, changed)
        return replicas.get(connection, row.id)

    assert await database.write(work) == changed


async def test_replicas_not_seen_since_are_forgotten(database: Database) -> None:
    old, new = replica(MOMENT - timedelta(seconds=1)), replica(MOMENT)

    def work(connection: Connection) -> list[Replica | None]:
        for row in (old, new):
            replicas.put(connection, row)
        replicas.forget(connection, MOMENT)
        replicas.ping(connection)
        return [replicas.get(connection, row.id) for row in (old, new)]

    assert await database.write(work) == [None, new]
