"""PostgreSQL behind the seam: a pool of connections, and the synchronous functions run on them by `run_sync`.

Several servers may use one database. Writes are SERIALIZABLE, because the services decide inside a transaction from
what they read there, as if no other ran at the same time, and that is what it means on SQLite, too; one that met
another is run again. Reads are REPEATABLE READ and read-only: one state for all their statements, that no write can
make fail.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import structlog
from sqlalchemy import Connection, NullPool, event, func, select
from sqlalchemy.exc import DBAPIError, DisconnectionError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from typing_extensions import override

from coder_enterprise.server.errors import BadRequest, Overloaded, Unavailable
from coder_enterprise.server.storage import migrate
from coder_enterprise.server.storage.database import Database, Work
from coder_enterprise.server.storage.postgresql_notifications import PostgreSQLNotifications
from coder_enterprise.server.storage.postgresql_server import FAULTS, PostgreSQLServer, cause, sqlstate, unusable

T = TypeVar("T")

POOL_SIZE: Final = 5
RESERVED: Final = 1
"""Besides, for what is looked up by key."""
MAX_WAITING: Final = 1024
MAX_WAIT: Final = 5.0
"""Seconds that a job waits for a connection."""
MAX_AGE: Final = 300
"""Seconds after which a connection is made anew: what lies between may forget one that is idle for longer."""
ATTEMPTS: Final = 20
FIRST_DELAY: Final = 0.002
MAX_DELAY: Final = 0.05
"""Seconds between them, at most: in each round one of those that meet succeeds."""
MIGRATION_LOCK: Final = 0x636F6465725F6565
"""Any number that is always the same."""
MIGRATION_TIMEOUT: Final = "60s"
"""How long another server may migrate."""

# https://www.postgresql.org/docs/current/errcodes-appendix.html
MET_ANOTHER: Final = frozenset({"40001", "40P01"})
"""serialization_failure and deadlock_detected."""
CANNOT_BE_STORED: Final = frozenset({"22021", "22P05"})
OUTAGES: Final = ("08", "53", "57", "58", "25006", "25P03", "28", "3D", "55P03")
"""Connections, resources, operator intervention, a standby, timeouts, and a login that is not accepted any more."""

log = structlog.get_logger(__name__)


async def open_postgresql(server: PostgreSQLServer) -> PostgreSQLDatabase:
    """Migrated and ready for work. Raises `StorageError`."""
    engine = _engine(server, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_upgrade)
    except (*FAULTS, SQLAlchemyError, ValueError) as error:
        raise unusable(error) from None
    finally:
        await engine.dispose()
    return PostgreSQLDatabase(server)


def _upgrade(connection: Connection) -> None:
    """One server at a time, and as long as it takes."""
    for setting, value in (("lock_timeout", MIGRATION_TIMEOUT), ("statement_timeout", "0")):
        connection.execute(select(func.set_config(setting, value, True)))
    connection.execute(select(func.pg_advisory_xact_lock(MIGRATION_LOCK)))
    migrate.upgrade(connection)


class PostgreSQLDatabase(Database):
    """Open it with `open_postgresql`, which migrates first."""

    def __init__(self, server: PostgreSQLServer) -> None:
        self._engine = _engine(server, pool_size=POOL_SIZE + RESERVED, max_overflow=0, pool_recycle=MAX_AGE)
        event.listen(self._engine.sync_engine, "checkout", _refuse_closed)
        self._reads = self._engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._writes = self._engine.execution_options(isolation_level="SERIALIZABLE")
        self._turns = asyncio.Semaphore(POOL_SIZE)
        self._reserved = asyncio.Semaphore(RESERVED)
        self._waiting = 0
        self._is_out = False
        self.notifications = PostgreSQLNotifications(server, self.write)

    @override
    async def read(self, work: Work[T]) -> T:
        async with self._turn(self._turns):
            return await self._run(self._reads, work)

    @override
    async def look_up(self, work: Work[T]) -> T:
        async with self._turn(self._reserved):
            return await self._run(self._reads, work)

    @override
    async def write(self, work: Work[T]) -> T:
        async with self._turn(self._turns):
            for attempt in range(ATTEMPTS):
                try:
                    return await self._run(self._writes, work)
                except DBAPIError as error:
                    if sqlstate(error) not in MET_ANOTHER:
                        raise
                await asyncio.sleep(min(FIRST_DELAY * 2**attempt, MAX_DELAY) * random.random())  # noqa: S311
        raise Overloaded("Too many requests change the same things; try again in a moment.")

    @override
    async def close(self) -> None:
        await self.notifications.close()
        await self._engine.dispose()

    @asynccontextmanager
    async def _turn(self, turns: asyncio.Semaphore) -> AsyncIterator[None]:
        """A connection will be free. Raises `Overloaded`."""
        if self._waiting >= MAX_WAITING:
            raise _overloaded()
        self._waiting += 1
        try:
            async with asyncio.timeout(MAX_WAIT):
                await turns.acquire()
        except TimeoutError:
            raise _overloaded() from None
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            turns.release()

    async def _run(self, engine: AsyncEngine, work: Work[T]) -> T:
        """One transaction."""
        try:
            async with engine.begin() as connection:
                result = await connection.run_sync(work)
        except FAULTS as error:
            raise self._judged(error) from None
        if self._is_out:
            self._is_out = False
            log.info("the database can be used again")
        return result

    def _judged(self, error: Exception) -> Exception:
        """What the caller gets: the error itself where it is this program's fault."""
        code = sqlstate(error)
        if code in CANNOT_BE_STORED:
            return BadRequest("A text contains a character that cannot be stored.", "It is U+0000.")
        is_lost = not isinstance(error, DBAPIError) or error.connection_invalidated
        if not (code.startswith(OUTAGES) if code else is_lost):
            return error
        if not self._is_out:
            self._is_out = True
            log.warning("the database cannot be used", cause=cause(error))
        return Unavailable("The database does not answer; try again in a moment.")


def _engine(server: PostgreSQLServer, **options: Any) -> AsyncEngine:
    """Statements are never shown with their parameters, which may be hashes of secrets."""
    return create_async_engine("postgresql+asyncpg://", async_creator=server.connect, hide_parameters=True, **options)


def _refuse_closed(connection: Any, _record: Any, _proxy: Any) -> None:
    """One that the database has closed while it was idle is replaced before it is used."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError("closed by the database")


def _overloaded() -> Overloaded:
    return Overloaded("The server is overloaded; try again in a moment.")
