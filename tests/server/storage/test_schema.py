"""The tables, and how a database gets them, on both databases."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Connection, insert, inspect, text

from coder_enterprise.server.storage import users
from coder_enterprise.server.storage.database import Database, StorageError
from coder_enterprise.server.storage.migrate import configuration
from coder_enterprise.server.storage.open import open_database, open_postgresql_database
from coder_enterprise.server.storage.schema import metadata, organizations
from tests.server.storage.test_database import MOMENT, a_user
from tools.postgresql import PostgreSQL


async def reopen(storage_url: str, tmp_path: Path) -> Database:
    """What the fixture `database` opens, which must be closed."""
    if storage_url:
        return await open_postgresql_database(storage_url)
    return open_database(tmp_path / "coder.db")


async def test_the_migrations_make_the_tables_of_the_schema(database: Database) -> None:
    def check(connection: Connection) -> None:
        command.check(configuration(connection))

    await database.write(check)


async def test_every_table_of_the_schema_is_made(database: Database) -> None:
    tables = await database.read(lambda connection: set(inspect(connection).get_table_names()))
    assert tables == {*metadata.tables, "alembic_version"}


async def test_a_database_that_is_opened_again_keeps_what_it_holds(storage_url: str, tmp_path: Path) -> None:
    ann = a_user("ann")
    for expected in (0, 1):
        database = await reopen(storage_url, tmp_path)
        assert await database.read(users.count) == expected
        if not expected:
            await database.write(lambda connection: users.create(connection, ann))
        await database.close()


async def test_a_schema_of_a_later_version_is_refused(storage_url: str, tmp_path: Path) -> None:
    database = await reopen(storage_url, tmp_path)
    await database.write(lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    await database.close()
    with pytest.raises(StorageError, match=r"9999.*does not know"):
        await reopen(storage_url, tmp_path)


async def test_a_database_with_the_tables_of_another_program_is_refused(storage_url: str, tmp_path: Path) -> None:
    database = await reopen(storage_url, tmp_path)
    row = {"name": "x", "display_name": "", "is_default": True, "created_at": MOMENT, "updated_at": MOMENT}

    def disown(connection: Connection) -> None:
        connection.execute(insert(organizations), row | {"id": a_user("x").id})
        connection.execute(text("DROP TABLE alembic_version"))

    await database.write(disown)
    await database.close()
    with pytest.raises(StorageError, match=r"another program.*workspaces.*empty database"):
        await reopen(storage_url, tmp_path)


async def test_names_are_sorted_by_code_point_whatever_the_locale_of_postgresql(
    postgresql: PostgreSQL, database_url: str
) -> None:
    name = database_url.rpartition("/")[2].partition("?")[0]
    query = "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE collation_name = 'C'"
    columns = {row[0] for row in postgresql.execute(f"{query} AND table_schema = 'public'", name)}
    assert columns == {
        "users.username_key",
        "users.email_key",
        "organizations.name",
        "proxies.name_key",
        "provisioner_keys.name_key",
        "workspaces.name_key",
    }


async def test_servers_that_start_at_once_migrate_one_after_the_other(empty_url: str) -> None:
    databases = await asyncio.gather(*(open_postgresql_database(empty_url) for _ in range(4)))
    for database in databases:
        await database.write(lambda connection: users.create(connection, a_user(f"user-{a_user('x').id.hex[:8]}")))
    assert await databases[0].read(users.count) == 4
    for database in databases:
        await database.close()
