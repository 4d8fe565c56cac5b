"""What only PostgreSQL does: retries, limits, outages, and messages between servers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import structlog
from sqlalchemy import Connection, func, literal_column, select, text

from coder_enterprise.server.errors import Unauthorized
from coder_enterprise.server.services import sessions
from coder_enterprise.server.services.bootstrap import bootstrap
from coder_enterprise.server.services.default_organization import ensure_default
from coder_enterprise.server.services.sessions import Sessions
from coder_enterprise.server.settings import FirstUser
from coder_enterprise.server.storage import api_keys, groups, postgresql_server, users
from coder_enterprise.server.storage import postgresql as storage
from coder_enterprise.server.storage.database import Database
from coder_enterprise.server.storage.failures import Outage, Overload, Unstorable
from coder_enterprise.server.storage.open import open_postgresql_database
from coder_enterprise.server.storage.postgresql_connections import NotCommitted
from coder_enterprise.server.storage.prepared import Prepared, Question
from tests.server.storage.test_database import a_group, a_user, store
from tools.postgresql import PostgreSQL

OWNER = FirstUser("admin", "admin@example.com", "correct horse battery staple")
TOKEN = "abcdefghij-abcdefghijklmnopqrstuv"
DO_FAIL = "DO $$ BEGIN RAISE EXCEPTION 'as if' USING ERRCODE = '{code}'; END $$"

SLEEP = Question(Prepared(select(func.pg_sleep(30))), {}, list)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = await open_postgresql_database(f"{database_url}&deadlock_timeout=20ms")
    yield opened
    await opened.close()


@pytest.fixture
async def replica(database_url: str) -> AsyncIterator[Database]:
    """What a second server would open."""
    opened = await open_postgresql_database(f"{database_url}&deadlock_timeout=20ms")
    yield opened
    await opened.close()


@pytest.fixture
def restarted(postgresql: PostgreSQL) -> Iterator[PostgreSQL]:
    """The PostgreSQL, which runs again when the test ends."""
    yield postgresql
    postgresql.stop()
    postgresql.start()


def run(statement: str) -> Any:
    return lambda connection: connection.execute(text(statement))


async def until(probe: Any, what: str) -> Any:
    """The first true answer of `probe`, a coroutine function."""
    async with asyncio.timeout(20):
        while not (answer := await probe()):
            await asyncio.sleep(0.02)
    assert answer, what
    return answer


async def listening(database: Database) -> asyncio.Queue[str | None]:
    """What is published on the channel `test` from now on; `database` hears it already."""
    heard: asyncio.Queue[str | None] = asyncio.Queue()
    is_there = asyncio.Event()
    database.notifications.subscribe("hello", lambda _: is_there.set())

    async def answered() -> bool:
        await database.notifications.publish("hello")
        return is_there.is_set()

    await until(answered, "it listens")
    database.notifications.subscribe("test", heard.put_nowait)
    return heard


async def following(heard: asyncio.Queue[str | None]) -> str | None:
    async with asyncio.timeout(20):
        return await heard.get()


async def test_no_update_is_lost_between_servers(database: Database, replica: Database) -> None:
    home = (await database.write(ensure_default)).id
    ops = a_group(home, "ops")
    await database.write(lambda connection: groups.create(connection, ops))

    def increment(connection: Connection) -> None:
        row = groups.get(connection, ops.id)
        assert row is not None
        groups.update_fields(connection, ops.id, {"quota_allowance": row.quota_allowance + 1})

    await asyncio.gather(*(server.write(increment) for server in [database, replica] * 20))
    found = await replica.read(lambda connection: groups.get(connection, ops.id))
    assert found is not None
    assert found.quota_allowance == 40


async def test_a_deadlock_is_resolved_by_doing_it_again(database: Database, replica: Database) -> None:
    home = (await database.write(ensure_default)).id
    rows = [a_group(home, name) for name in ("ops", "dev")]
    await database.write(lambda connection: store(connection, *rows))
    runs: list[str] = []

    def change(connection: Connection, first: int, name: str) -> None:
        runs.append(name)
        groups.update_fields(connection, rows[first].id, {"display_name": name})
        connection.execute(text("SELECT pg_sleep(0.1)"))
        groups.update_fields(connection, rows[1 - first].id, {"display_name": name})

    await asyncio.gather(
        database.write(lambda connection: change(connection, 0, "a")),
        replica.write(lambda connection: change(connection, 1, "b")),
    )
    assert len(runs) >= 3  # where the machine is slow, they may meet more than once


async def test_a_write_that_always_meets_another_is_given_up(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "ATTEMPTS", 3)
    runs = 0

    def work(connection: Connection) -> None:
        nonlocal runs
        runs += 1
        connection.execute(text(DO_FAIL.format(code="40001")))

    with pytest.raises(Overload):
        await database.write(work)
    assert runs == 3


async def test_a_read_cannot_write(database: Database) -> None:
    with pytest.raises(Outage):
        await database.read(lambda connection: users.create(connection, a_user("ann")))
    assert await database.read(users.count) == 0


async def test_a_question_is_asked_without_a_transaction_around_it(database: Database) -> None:
    isolation = Prepared(select(func.current_setting("transaction_isolation")))
    assert await database.read(Question(isolation, {}, list)) == [["read committed"]]
    assert await database.read(isolation.all) == [["repeatable read"]]


async def test_after_a_question_that_failed_or_that_nobody_waits_for_comes_the_next_one(database: Database) -> None:
    for _ in range(storage.POOL_SIZE * 2):
        with pytest.raises(Exception, match="division by zero"):
            await database.read(Question(Prepared(select(literal_column("1 / 0"))), {}, list))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(database.read(SLEEP), 0.01)
    assert await database.read(api_keys.with_user("abcdefghij")) is None


async def test_what_goes_on_after_a_failed_statement_is_not_told_to_be_written(database: Database) -> None:
    def work(connection: Connection) -> None:
        users.create(connection, a_user("ann"))
        with contextlib.suppress(Exception):
            run("SELECT * FROM no_such_table")(connection)

    with pytest.raises(NotCommitted):
        await database.write(work)
    assert await database.read(users.count) == 0


async def test_a_fault_of_the_program_is_no_outage(database: Database) -> None:
    with pytest.raises(Exception, match="no_such_table"):
        await database.read(run("SELECT * FROM no_such_table"))
    with pytest.raises(Exception, match="invalid input"):
        await database.read(lambda connection: users.get(connection, "no id"))  # type: ignore[arg-type]


async def test_text_that_postgresql_cannot_store_is_the_callers_mistake(database: Database) -> None:
    with pytest.raises(Unstorable):
        await database.write(lambda connection: users.create(connection, a_user("a\0b")))
    with pytest.raises(Unstorable):
        await database.read(lambda connection: users.by_username(connection, "a\0b"))


async def test_too_many_waiting_jobs_are_refused_and_the_others_are_done(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "MAX_WAITING", 2)
    count = storage.POOL_SIZE + 4
    outcomes = await asyncio.gather(
        *(database.read(run("SELECT pg_sleep(0.2)")) for _ in range(count)), return_exceptions=True
    )
    assert sum(isinstance(outcome, Overload) for outcome in outcomes) == 2
    assert sum(isinstance(outcome, Exception) for outcome in outcomes) == 2


async def test_a_job_that_waits_too_long_is_refused(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "MAX_WAIT", 0.05)
    slow = [asyncio.create_task(database.read(run("SELECT pg_sleep(0.5)"))) for _ in range(storage.POOL_SIZE)]
    await asyncio.sleep(0)
    with pytest.raises(Overload):
        await database.read(users.count)
    await asyncio.gather(*slow)


async def test_a_caller_that_goes_away_gives_its_turn_back(database: Database) -> None:
    slow = [asyncio.create_task(database.write(run("SELECT pg_sleep(60)"))) for _ in range(storage.POOL_SIZE * 2)]
    await asyncio.sleep(0.1)
    for task in slow:
        task.cancel()
    await asyncio.gather(*slow, return_exceptions=True)
    assert await database.read(users.count) == 0


async def test_a_statement_that_takes_too_long_is_ended(database_url: str) -> None:
    database = await open_postgresql_database(f"{database_url}&statement_timeout=50ms")
    try:
        with pytest.raises(Outage):
            await database.read(run("SELECT pg_sleep(30)"))
        assert await database.read(users.count) == 0
    finally:
        await database.close()


async def test_a_database_that_says_nothing_is_given_up(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql_server, "ANSWER_TIMEOUT", 0.2)
    database = await open_postgresql_database(f"{database_url}&statement_timeout=0")
    try:
        for attempt in (database.read(SLEEP), database.read(run("SELECT pg_sleep(30)")), database.write(SLEEP)):
            with pytest.raises(Outage):
                await attempt
        assert await database.read(users.count) == 0
    finally:
        await database.close()


async def test_connections_that_were_cut_while_idle_are_replaced_unnoticed(
    database: Database, postgresql: PostgreSQL, database_url: str
) -> None:
    heard = await listening(database)
    await asyncio.gather(*(database.read(run("SELECT pg_sleep(0.05)")) for _ in range(storage.POOL_SIZE)))
    name = database_url.rpartition("/")[2].partition("?")[0]
    cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    assert len(await asyncio.to_thread(postgresql.execute, cut)) > storage.POOL_SIZE
    assert await following(heard) is None
    counts = await asyncio.gather(*(database.read(users.count) for _ in range(storage.POOL_SIZE * 2)))
    assert counts == [0] * storage.POOL_SIZE * 2


async def test_a_database_that_goes_away_is_an_outage_until_it_returns(
    database: Database, restarted: PostgreSQL
) -> None:
    await database.write(lambda connection: users.create(connection, a_user("ann")))
    await asyncio.to_thread(restarted.stop)
    started = time.monotonic()
    for attempt in (database.read(users.count), database.write(users.count)):
        with pytest.raises(Outage):
            await attempt
    assert time.monotonic() - started < 5
    restarted.start()
    assert await database.read(users.count) == 1
    await database.write(lambda connection: users.create(connection, a_user("bob")))


async def test_an_outage_is_logged_once_and_its_end_too(
    database: Database, restarted: PostgreSQL, capsys: pytest.CaptureFixture[str]
) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    await database.read(users.count)
    await asyncio.to_thread(restarted.stop)
    for _ in range(5):
        with pytest.raises(Outage):
            await database.read(users.count)
    restarted.start()
    await database.read(users.count)
    logged = capsys.readouterr().out
    assert logged.count("the database cannot be used") == 1
    assert logged.count("the database can be used again") == 1
    assert restarted.password not in logged


async def test_a_message_reaches_the_other_servers(database: Database, replica: Database) -> None:
    heard = await listening(replica)
    await database.notifications.publish("test", "changed")
    assert await following(heard) == "changed"


async def test_who_may_have_missed_messages_is_told_to_read_again_and_hears_on(
    database: Database, restarted: PostgreSQL
) -> None:
    heard = await listening(database)
    await asyncio.to_thread(restarted.stop)
    await database.notifications.publish("test", "lost")
    restarted.start()
    assert await following(heard) is None
    await database.notifications.publish("test", "heard")
    assert await following(heard) == "heard"


async def test_a_token_that_one_server_revokes_is_forgotten_by_the_others(
    database: Database, replica: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "REMEMBERED", 3600.0)
    await bootstrap(database, OWNER, TOKEN)
    here, there = Sessions(database), Sessions(replica)
    await listening(replica)
    actor = await there.authenticate(TOKEN)
    await database.write(lambda connection: api_keys.remove(connection, actor.key_id))
    assert (await there.authenticate(TOKEN)).key_id == actor.key_id, "it is remembered"

    await here.forget()

    async def refused() -> bool:
        try:
            await there.authenticate(TOKEN)
        except Unauthorized:
            return True
        return False

    await until(refused, "the other server refuses the token")
