"""What is prepared comes to the same as what SQLAlchemy runs, on both databases."""

from __future__ import annotations

import contextlib
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Connection, bindparam, delete, insert, select
from sqlalchemy.dialects import sqlite

from coder_enterprise.server.storage import schema
from coder_enterprise.server.storage.among import among
from coder_enterprise.server.storage.database import Database, Duplicate, unique
from coder_enterprise.server.storage.prepared import Prepared
from coder_enterprise.server.storage.sqlite import connect

VALUES = {
    "id": uuid4(),
    "username": "ann",
    "username_key": "ann",
    "email": "ann@example.com",
    "email_key": "ann@example.com",
    "name": "",
    "password_hash": "",
    "login_type": "none",
    "status": "active",
    "roles": ["auditor"],
    "avatar_url": "",
    "deleted": False,
    "created_at": datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC),
    "updated_at": datetime(2026, 3, 29, tzinfo=UTC),
    "last_seen_at": schema.NEVER,
}
INSERT = Prepared(insert(schema.users).values({name: bindparam(name) for name in VALUES}))
QUERY = select(*(schema.users.c[name] for name in VALUES)).where(
    ~schema.users.c.deleted, schema.users.c.username_key == bindparam("key")
)
FIND = Prepared(QUERY)


async def test_rows_hold_the_values_that_were_written(database: Database) -> None:
    await database.write(lambda connection: INSERT.run(connection, VALUES))
    row = await database.read(lambda connection: FIND.first(connection, {"key": "ann"}))
    assert row is not None
    assert dict(zip(VALUES, row, strict=True)) == VALUES


async def test_sqlalchemy_reads_what_was_written_and_the_other_way_round(database: Database) -> None:
    await database.write(lambda connection: INSERT.run(connection, VALUES))

    def both(connection: Connection) -> tuple[list[object], list[object]]:
        ours, theirs = FIND.all(connection, {"key": "ann"})[0], connection.execute(QUERY, {"key": "ann"}).one()
        return list(ours), list(theirs)

    ours, theirs = await database.read(both)
    assert ours == theirs


async def test_there_is_no_first_row_of_none(database: Database) -> None:
    assert await database.read(lambda connection: FIND.first(connection, {"key": "ann"})) is None


async def test_a_row_that_breaks_a_rule_undoes_its_own_alone(database: Database) -> None:
    def twice(connection: Connection) -> None:
        INSERT.run(connection, VALUES)
        with pytest.raises(Duplicate), unique(connection):
            INSERT.run(connection, VALUES | {"id": uuid4()})

    await database.write(twice)
    assert len(await database.read(lambda connection: FIND.all(connection, {"key": "ann"}))) == 1


async def test_a_change_is_of_what_its_values_name(database: Database) -> None:
    people = [VALUES | {"id": uuid4(), "username_key": name, "email_key": name} for name in ("ann", "ben")]
    remove = Prepared(delete(schema.users).where(schema.users.c.username_key == bindparam("key")))

    def work(connection: Connection) -> list[int]:
        for person in people:
            INSERT.run(connection, person)
        remove.run(connection, {"key": "ann"})
        return [len(FIND.all(connection, {"key": key})) for key in ("ann", "ben")]

    assert await database.write(work) == [0, 1]


def test_a_statement_with_a_list_is_not_prepared(tmp_path: Path) -> None:
    among = Prepared(select(schema.users.c.id).where(schema.users.c.id.in_(bindparam("ids", expanding=True))))
    with connect(tmp_path / "coder.db", "BEGIN") as connection, pytest.raises(TypeError, match="with a list"):
        among.all(connection, {"ids": [uuid4()]})


@pytest.mark.parametrize("count", [0, 1, 2000])
async def test_a_list_of_ids_is_one_parameter_however_many_they_are(database: Database, count: int) -> None:
    find = Prepared(select(schema.users.c.username).where(among(schema.users.c.id, "ids")))
    ids = [VALUES["id"], *(uuid4() for _ in range(count))][:count]

    def work(connection: Connection) -> list[str]:
        INSERT.run(connection, VALUES)
        return [username for (username,) in find.all(connection, {"ids": ids})]

    assert await database.write(work) == ["ann"][:count]


def test_a_list_of_ids_is_answered_by_the_index_of_sqlite() -> None:
    query = select(schema.users.c.username).where(among(schema.users.c.id, "ids"))
    with contextlib.closing(sqlite3.connect(":memory:")) as raw:
        raw.execute("CREATE TABLE users (id TEXT PRIMARY KEY, username TEXT)")
        plan = raw.execute(f"EXPLAIN QUERY PLAN {query.compile(dialect=sqlite.dialect())}", ["[]"]).fetchall()
    assert "SEARCH users USING INDEX" in plan[0][-1]
