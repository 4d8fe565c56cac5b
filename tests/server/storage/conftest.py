"""Both databases behind the seam: a test that takes `database` runs on each of them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from coder_enterprise.server.storage.database import Database
from coder_enterprise.server.storage.open import open_database, open_postgresql_database
from tools import postgresql as support
from tools.postgresql import PostgreSQL
from tools.server_process import CoderServer, new_token


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """One real PostgreSQL for the whole run."""
    programs = support.find()
    if programs is None:
        if os.environ.get("CI"):
            pytest.fail(support.MISSING)
        pytest.skip(support.MISSING)
    with PostgreSQL(programs) as instance:
        yield instance


@pytest.fixture(scope="session")
def migrated(postgresql: PostgreSQL) -> str:
    """The name of a database with the tables, to make others of."""
    name = postgresql.create_database()

    async def migrate() -> None:
        database = await open_postgresql_database(postgresql.url(name))
        await database.close()

    support.run_aside(migrate())
    return name


@pytest.fixture
def empty_url(postgresql: PostgreSQL) -> Iterator[str]:
    """A PostgreSQL database of this test's alone, with nothing in it."""
    name = postgresql.create_database()
    yield postgresql.url(name)
    postgresql.drop_database(name)


@pytest.fixture
def database_url(postgresql: PostgreSQL, migrated: str) -> Iterator[str]:
    """A PostgreSQL database of this test's alone, with empty tables."""
    name = postgresql.create_database(migrated)
    yield postgresql.url(name)
    postgresql.drop_database(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def storage_url(request: pytest.FixtureRequest) -> str:
    """ "" is SQLite."""
    if request.param == "sqlite":
        return ""
    url: str = request.getfixturevalue("database_url")
    return url


@pytest.fixture
async def database(storage_url: str, tmp_path: Path) -> AsyncIterator[Database]:
    """An open database with empty tables."""
    if storage_url:
        opened = await open_postgresql_database(storage_url)
    else:
        opened = open_database(tmp_path / "coder.db")
    yield opened
    await opened.close()


@pytest.fixture
def servers(database_url: str) -> Iterator[list[CoderServer]]:
    """Two servers, with the same owner and token."""
    token = new_token()
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(CoderServer(database_url, token)) for _ in range(2)]
