"""Copies of an SQLite database: what they hold, what is put back, and what is refused."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic import command

from coder_enterprise.server.storage import site_settings, sqlite
from coder_enterprise.server.storage.backup import backup, restore
from coder_enterprise.server.storage.database import Connection, Database, StorageError
from coder_enterprise.server.storage.migrate import configuration
from coder_enterprise.server.storage.open import open_database


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """SQLite, in the file that the tests copy."""
    opened = open_database(tmp_path / "coder.db")
    yield opened
    await opened.close()


def found(folder: Path, pattern: str) -> list[Path]:
    return list(folder.glob(pattern))


async def remember(database: Database, value: str) -> None:
    await database.write(lambda connection: site_settings.put(connection, "remembered", value))


async def remembered(path: Path) -> object:
    database = open_database(path)
    try:
        return await database.read(lambda connection: site_settings.get(connection, "remembered"))
    finally:
        await database.close()


async def test_a_backup_of_a_server_that_runs_holds_what_was_acknowledged(database: Database, tmp_path: Path) -> None:
    await remember(database, "before")
    backup(tmp_path / "coder.db", tmp_path / "copy.db")
    await remember(database, "after")
    assert await remembered(tmp_path / "copy.db") == "before"
    assert stat.S_IMODE((tmp_path / "copy.db").stat().st_mode) == 0o600


async def test_a_backup_comes_back_and_what_was_there_is_kept(tmp_path: Path) -> None:
    path, copy = tmp_path / "coder.db", tmp_path / "copy.db"
    for value in ("then", "now"):
        database = open_database(path)
        await remember(database, value)
        await database.close()
        if value == "then":
            backup(path, copy)
    kept = restore(copy, path)
    assert kept is not None
    assert (await remembered(path), await remembered(kept)) == ("then", "now")


async def test_a_backup_comes_back_where_nothing_was(database: Database, tmp_path: Path) -> None:
    await remember(database, "then")
    backup(tmp_path / "coder.db", tmp_path / "copy.db")
    assert restore(tmp_path / "copy.db", tmp_path / "new.db") is None
    assert await remembered(tmp_path / "new.db") == "then"


async def test_a_backup_comes_back_over_a_database_that_is_damaged(database: Database, tmp_path: Path) -> None:
    await remember(database, "then")
    backup(tmp_path / "coder.db", tmp_path / "copy.db")
    damaged = tmp_path / "damaged.db"
    damaged.write_text("this is no database" * 1000)
    kept = restore(tmp_path / "copy.db", damaged)
    assert kept is not None
    assert kept.read_text() == "this is no database" * 1000
    assert await remembered(damaged) == "then"


def test_what_is_no_database_of_the_server_is_not_taken_for_a_backup(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "other.db") as connection:
        connection.execute("CREATE TABLE things (id)")
    connection.close()
    for name in ("other.db", "empty.db"):
        (tmp_path / name).touch()
        with pytest.raises(StorageError, match="no database of this server"):
            backup(tmp_path / name, tmp_path / "copy.db")
        assert not (tmp_path / "copy.db").exists()


async def test_nothing_is_put_in_the_place_of_a_database_in_use(database: Database, tmp_path: Path) -> None:
    backup(tmp_path / "coder.db", tmp_path / "copy.db")
    with pytest.raises(StorageError, match="in use by another server"):
        restore(tmp_path / "copy.db", tmp_path / "coder.db")


def test_a_backup_replaces_no_file(tmp_path: Path) -> None:
    (tmp_path / "coder.db").touch()
    (tmp_path / "copy.db").write_text("precious")
    with pytest.raises(StorageError, match="exists already"):
        backup(tmp_path / "coder.db", tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_text() == "precious"


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"coder\.db is not there"):
        backup(tmp_path / "coder.db", tmp_path / "copy.db")
    with pytest.raises(StorageError, match=r"copy\.db is not there"):
        restore(tmp_path / "copy.db", tmp_path / "coder.db")


async def test_what_is_no_backup_changes_nothing(tmp_path: Path) -> None:
    database = open_database(tmp_path / "coder.db")
    await remember(database, "precious")
    await database.close()
    text, empty, foreign = tmp_path / "text.db", tmp_path / "empty.db", tmp_path / "foreign.db"
    text.write_text("this is no database" * 100)
    empty.touch()
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE users (id)")
    connection.close()
    for source in (text, empty, foreign):
        with pytest.raises(StorageError, match=r"copied|no backup"):
            restore(source, tmp_path / "coder.db")
    assert await remembered(tmp_path / "coder.db") == "precious"
    assert not found(tmp_path, "*restoring*")


def revision_of(connection: Connection) -> object:
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


async def test_a_database_is_copied_before_its_schema_changes(tmp_path: Path) -> None:
    path = tmp_path / "coder.db"
    with sqlite.connect(path, "BEGIN IMMEDIATE") as connection, connection.begin():
        command.upgrade(configuration(connection), "0009")
    await open_database(path).close()
    (kept,) = found(tmp_path, "coder.db.before-migration-of-0009-*")
    with sqlite.connect(kept, "BEGIN") as connection:
        assert revision_of(connection) == "0009"


async def test_a_database_that_is_up_to_date_or_new_is_not_copied(tmp_path: Path) -> None:
    for _ in range(2):
        await open_database(tmp_path / "coder.db").close()
    assert not found(tmp_path, "*before*")


def test_a_database_of_a_later_version_is_refused_without_a_copy(tmp_path: Path) -> None:
    """A server that is started again and again would fill the disk."""
    path = tmp_path / "coder.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num)")
        connection.execute("INSERT INTO alembic_version VALUES ('9999')")
    connection.close()
    with pytest.raises(StorageError, match="which this version does not know"):
        open_database(path)
    assert not found(tmp_path, "*before*")
