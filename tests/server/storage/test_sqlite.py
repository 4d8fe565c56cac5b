"""SQLite behind the seam: batches, durability, the lock, and what is refused at the start."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text

from coder_enterprise.server.services.default_organization import ensure_default
from coder_enterprise.server.storage import organizations, sqlite
from coder_enterprise.server.storage.database import Connection, Database, Duplicate, StorageError, unique
from coder_enterprise.server.storage.failures import Outage, Overload
from coder_enterprise.server.storage.open import open_database
from tests.support.faults import fault

NO_DATABASE = b"no database at all, and long enough to be read as one" * 10


@pytest.fixture
async def database(database_path: Path) -> AsyncIterator[Database]:
    """With a table of its own: numbers."""
    opened = open_database(database_path)
    await opened.write(lambda connection: connection.execute(text("CREATE TABLE numbers (number INTEGER PRIMARY KEY)")))
    yield opened
    await opened.close()


def insert(connection: Connection, number: int) -> int:
    with unique(connection):
        connection.execute(text("INSERT INTO numbers VALUES (:number)"), {"number": number})
    return number


def numbers(connection: Connection) -> list[int]:
    return list(connection.execute(text("SELECT number FROM numbers ORDER BY number")).scalars())


class Busy:
    """Holds a thread of the database until it is let go, so that what is handed over meanwhile is one batch."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def __call__(self, connection: Connection) -> None:
        assert self.go.wait(10)


async def test_a_read_after_a_write_sees_it(database: Database) -> None:
    for number in range(50):
        await database.write(partial(insert, number=number))
        assert number in await database.read(numbers)


async def test_many_writers_and_readers_see_each_write_that_was_acknowledged(database: Database) -> None:
    async def write_and_read(number: int) -> bool:
        await database.write(partial(insert, number=number))
        return number in await database.read(numbers)

    assert all(await asyncio.gather(*(write_and_read(number) for number in range(300))))


async def test_of_a_batch_the_write_that_fails_is_undone_alone(database: Database) -> None:
    def half(connection: Connection) -> int:
        insert(connection, 100)
        raise ValueError("in the middle")

    busy = Busy()
    first = asyncio.ensure_future(database.write(busy))
    batch: list[asyncio.Future[int]]
    batch = [asyncio.ensure_future(database.write(partial(insert, number=number))) for number in (1, 2, 2, 3)]
    batch.insert(2, asyncio.ensure_future(database.write(half)))
    await asyncio.sleep(0)  # all are handed over
    busy.go.set()
    await first
    results = await asyncio.gather(*batch, return_exceptions=True)
    assert [results[0], results[1], results[4]] == [1, 2, 3]
    assert isinstance(results[2], ValueError)
    assert isinstance(results[3], Duplicate)
    assert await database.read(numbers) == [1, 2, 3]


async def test_of_a_batch_the_read_that_fails_fails_alone(database: Database) -> None:
    def fail(connection: Connection) -> None:
        raise ValueError("no")

    busy = Busy()
    first = asyncio.ensure_future(database.read(busy))
    reads = [asyncio.ensure_future(database.read(work)) for work in (numbers, fail, numbers)]
    await asyncio.sleep(0)  # all are handed over
    busy.go.set()
    await first
    results = await asyncio.gather(*reads, return_exceptions=True)
    assert [results[0], results[2]] == [[], []]
    assert isinstance(results[1], ValueError)


async def test_more_writes_than_a_batch_holds_are_all_done(database: Database) -> None:
    busy = Busy()
    first = asyncio.ensure_future(database.write(busy))
    count = 3 * sqlite.MAX_BATCH + 1
    writes = [asyncio.ensure_future(database.write(partial(insert, number=number))) for number in range(count)]
    await asyncio.sleep(0)  # all are handed over
    busy.go.set()
    await first
    assert await asyncio.gather(*writes) == list(range(count))
    assert len(await database.read(numbers)) == count


async def test_more_waiting_work_than_the_limit_is_refused(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "MAX_WAITING", 2)
    busy = Busy()
    writes = [asyncio.ensure_future(database.write(busy)) for _ in range(5)]
    await asyncio.sleep(0)  # all are handed over
    busy.go.set()
    results = await asyncio.gather(*writes, return_exceptions=True)
    refused = [result for result in results if isinstance(result, Overload)]
    assert len(refused) in {2, 3}  # the thread may have taken one already
    assert results.count(None) == 5 - len(refused)


async def test_a_write_whose_sender_is_gone_is_done_and_disturbs_nobody(database: Database) -> None:
    busy = Busy()
    first = asyncio.ensure_future(database.write(busy))
    gone = asyncio.ensure_future(database.write(partial(insert, number=1)))
    other = asyncio.ensure_future(database.write(partial(insert, number=2)))
    await asyncio.sleep(0)  # all are handed over
    gone.cancel()
    busy.go.set()
    await first
    assert await other == 2
    assert await database.read(numbers) == [1, 2]


@fault(
    name="database file full",
    injected="In process: SQLite may not let its file grow.",
    verdict="The write fails as an outage, reads go on, and later writes succeed.",
)
async def test_a_full_disk_fails_the_writes_it_hits_and_none_after_it(database: Database) -> None:
    def limit(connection: Connection, pages: int) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    def fill(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE big AS SELECT zeroblob(1000000) AS zeros"))

    await database.write(lambda connection: limit(connection, 1))  # it cannot shrink below what is used
    results = await asyncio.gather(
        *(database.write(work) for work in (fill, partial(insert, number=1))), return_exceptions=True
    )
    assert isinstance(results[0], Outage)
    assert "full" in results[0].detail
    written = [1] if results[1] == 1 else []
    assert await database.read(numbers) == written
    await database.write(lambda connection: limit(connection, 1_000_000))
    assert await database.write(partial(insert, number=2)) == 2
    assert await database.read(numbers) == [*written, 2]


async def test_errors_do_not_show_the_values_of_a_statement(database: Database) -> None:
    def fail(connection: Connection) -> None:
        connection.execute(text("INSERT INTO nowhere VALUES (:hash)"), {"hash": "a secret hash"})

    with pytest.raises(Exception, match="nowhere") as failure:
        await database.write(fail)
    assert "a secret hash" not in str(failure.value)


async def test_foreign_keys_are_kept(database: Database) -> None:
    assert await database.read(lambda connection: connection.exec_driver_sql("PRAGMA foreign_keys").scalar()) == 1


async def test_a_write_is_on_the_disk_when_it_is_acknowledged(database: Database) -> None:
    """Neither of these may be weaker: a crash of the machine would lose what was acknowledged."""
    settings = ("PRAGMA synchronous", "PRAGMA journal_mode")
    read = await database.write(lambda connection: [connection.exec_driver_sql(item).scalar() for item in settings])
    assert read == [2, "wal"]


async def test_close_finishes_what_was_handed_over(database_path: Path) -> None:
    database = open_database(database_path)
    write = asyncio.ensure_future(database.write(ensure_default))
    await asyncio.sleep(0)  # it is handed over
    await database.close()
    made = await write
    again = open_database(database_path)
    assert await again.read(organizations.all_of) == [made]
    await again.close()


async def test_close_leaves_no_thread_and_no_lock(database_path: Path) -> None:
    for _ in range(3):
        database = open_database(database_path)
        assert await database.read(organizations.all_of) == []
        await database.close()
    names = {thread.name for thread in threading.enumerate()}
    assert not {"storage-reader", "storage-writer"} & names


async def test_the_files_are_their_owners_alone(database: Database, database_path: Path) -> None:
    await database.write(partial(insert, number=1))
    files = list(database_path.parent.glob(f"{database_path.name}*"))
    assert len(files) == 4
    assert {file.stat().st_mode & 0o077 for file in files} == {0}


@pytest.mark.usefixtures("database")
async def test_a_second_server_on_one_file_is_refused(database_path: Path) -> None:
    with pytest.raises(StorageError, match="in use by another server"):
        open_database(database_path)


@pytest.mark.usefixtures("database")
async def test_a_second_server_is_refused_through_a_link_too(database_path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(database_path)
    with pytest.raises(StorageError, match="in use by another server"):
        open_database(link)


def test_a_server_that_could_not_open_its_file_does_not_keep_it(database_path: Path) -> None:
    database_path.write_bytes(NO_DATABASE)
    with pytest.raises(StorageError):
        open_database(database_path)
    os.close(sqlite.lock(database_path))


def test_a_file_that_is_no_database_is_refused_with_the_cause(database_path: Path) -> None:
    database_path.write_bytes(NO_DATABASE)
    with pytest.raises(StorageError, match=r"CODER_SQLITE_PATH: .*coder\.db cannot be used: file is not a database"):
        open_database(database_path)
    assert database_path.read_bytes() == NO_DATABASE


def test_the_database_of_another_program_is_refused_with_the_cause(database_path: Path) -> None:
    other = sqlite3.connect(database_path)
    other.execute("CREATE TABLE users (name TEXT)")
    other.close()
    with pytest.raises(StorageError, match="table users already exists"):
        open_database(database_path)


@pytest.mark.parametrize(
    ("path", "cause"),
    [
        ("missing/coder.db", "No such file or directory"),
        ("file/coder.db", "Not a directory"),
        ("x" * 300, "File name too long"),
        (".", "is a folder"),
        ("", "is a folder"),
    ],
)
def test_a_path_that_cannot_be_is_refused_with_the_cause(tmp_path: Path, path: str, cause: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=f"^CODER_SQLITE_PATH: .*{cause}"):
        open_database(tmp_path / path)


def test_a_database_that_another_program_is_writing_is_refused_with_the_cause(
    database_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "PRAGMAS", ("busy_timeout=1", *sqlite.PRAGMAS[1:]))
    other = sqlite3.connect(database_path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StorageError, match="database is locked"):
        open_database(database_path)
    other.close()


async def test_what_is_looked_up_waits_for_no_list(database: Database) -> None:
    await database.write(partial(insert, number=1))
    busy = Busy()
    reading = asyncio.ensure_future(database.read(busy))
    assert await database.look_up(numbers) == [1]
    busy.go.set()
    await reading


async def test_a_database_that_another_program_locks_can_be_tried_again(
    database: Database, database_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await database.write(lambda connection: connection.exec_driver_sql("PRAGMA busy_timeout=1"))
    await database.look_up(numbers)
    other = sqlite3.connect(database_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Outage):
        await database.write(partial(insert, number=1))
    other.close()
    assert await database.write(partial(insert, number=1)) == 1
