"""Migrations on SQLite: what they build, that they run once, and what a refusal leaves."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from coder_enterprise.server.storage import migrate, sqlite
from coder_enterprise.server.storage.database import Connection, StorageError
from coder_enterprise.server.storage.migrate import SCRIPTS
from coder_enterprise.server.storage.open import open_database
from coder_enterprise.server.storage.schema import metadata


def query(path: Path, statement: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.commit()
        connection.close()


async def test_the_migrations_build_what_the_schema_alone_would(database_path: Path, tmp_path: Path) -> None:
    """Also what alembic does not compare: defaults, and what a delete does to the rows below."""
    await open_database(database_path).close()
    directly = tmp_path / "directly.db"
    with sqlite.connect(directly, "BEGIN IMMEDIATE") as connection, connection.begin():
        metadata.create_all(connection)
    assert {table: description(database_path, table) for table in metadata.tables} == {
        table: description(directly, table) for table in metadata.tables
    }


def description(path: Path, table: str) -> tuple[set[tuple[object, ...]], ...]:
    """Columns, references and indexes, in no order."""
    columns = query(path, f"SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_info('{table}')")
    references = query(
        path, f'SELECT "table", "from", "to", on_update, on_delete FROM pragma_foreign_key_list(\'{table}\')'
    )
    indexes = query(
        path,
        'SELECT list."unique", list.origin, group_concat(info.name) '
        f"FROM pragma_index_list('{table}') AS list, pragma_index_info(list.name) AS info GROUP BY list.name",
    )
    assert columns
    return set(columns), set(references), set(indexes)


async def test_opening_again_changes_nothing(database_path: Path) -> None:
    await open_database(database_path).close()
    before = query(database_path, "SELECT * FROM sqlite_master") + query(database_path, "SELECT * FROM alembic_version")
    await open_database(database_path).close()
    after = query(database_path, "SELECT * FROM sqlite_master") + query(database_path, "SELECT * FROM alembic_version")
    assert before == after


def test_there_is_one_line_of_migrations() -> None:
    scripts = ScriptDirectory(str(SCRIPTS))
    assert len(scripts.get_heads()) == 1
    assert len(scripts.get_bases()) == 1


async def test_a_schema_from_the_future_is_refused_and_left_alone(database_path: Path) -> None:
    await open_database(database_path).close()
    query(database_path, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StorageError, match="9999"):
        open_database(database_path)
    assert query(database_path, "SELECT version_num FROM alembic_version") == [("9999",)]


async def test_a_migration_that_fails_leaves_the_database_as_it_was(
    database_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(connection: Connection) -> None:
        real(connection)
        raise StorageError("in the middle")

    real = migrate.upgrade
    monkeypatch.setattr("coder_enterprise.server.storage.open.upgrade", fail)
    with pytest.raises(StorageError, match="in the middle"):
        open_database(database_path)
    assert query(database_path, "SELECT name FROM sqlite_master") == []
    monkeypatch.undo()
    await open_database(database_path).close()
