"""PostgreSQL behind the seam: transactions by turns, and again where they met another.

Several servers may use one database. Writes are SERIALIZABLE, because the services decide inside a transaction from
what they read there, as if no other ran at the same time, and that is what it means on SQLite, too; one that met
another is run again. Reads are REPEATABLE READ and read-only: one state for all their statements, that no write can
make fail. A `Question` has one statement, which sees one state by itself.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import structlog
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError
from typing_extensions import override

from coder_enterprise.server.storage import migrate
from coder_enterprise.server.storage.database import Database, Work
from coder_enterprise.server.storage.failures import Outage, Overload, Unstorable
from coder_enterprise.server.storage.postgresql_connections import PostgreSQLConnections, engine
from coder_enterprise.server.storage.postgresql_notifications import PostgreSQLNotifications
from coder_enterprise.server.storage.postgresql_server import (
    FAULTS,
    PostgreSQLServer,
    cause,
    is_lost,
    sqlstate,
    unusable,
)

T = TypeVar("T")

POOL_SIZE: Final = 5
RESERVED: Final = 1
"""Besides, for what is looked up by key."""
MAX_WAITING: Final = 1024
MAX_WAIT: Final = 5.0
"""Seconds that a job waits for a connection."""
ATTEMPTS: Final = 20
FIRST_DELAY: Final = 0.002
MAX_DELAY: Final = 0.05
"""Seconds between them, at most: in each round one of those that meet succeeds."""
MIGRATION_LOCK: Final = 0x636F6465725F6565
"""Any number that is always the same."""
MIGRATION_TIMEOUT: Final = "60s"
"""How long another server may migrate."""

READ: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
WRITE: Final = "BEGIN ISOLATION LEVEL SERIALIZABLE"

# https://www.postgresql.org/docs/current/errcodes-appendix.html
MET_ANOTHER: Final = frozenset({"40001", "40P01"})
"""serialization_failure and deadlock_detected."""
CANNOT_BE_STORED: Final = frozenset({"22021", "22P05"})
OUTAGES: Final = ("08", "53", "57", "58", "25006", "25P03", "28", "3D", "55P03")
"""Connections, resources, operator intervention, a standby, timeouts, and a login that is not accepted any more."""

log = structlog.get_logger(__name__)


async def open_postgresql(server: PostgreSQLServer) -> PostgreSQLDatabase:
    """Migrated and ready for work. Raises `StorageError`."""
    once = engine(server)
    try:
        async with once.begin() as connection:
            await connection.run_sync(_upgrade)
    except (*FAULTS, SQLAlchemyError, ValueError) as error:
        raise unusable(error) from None
    finally:
        await once.dispose()
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
        self._connections = PostgreSQLConnections(server)
        self._turns = asyncio.Semaphore(POOL_SIZE)
        self._reserved = asyncio.Semaphore(RESERVED)
        self._alone = asyncio.Lock()
        self._waiting = 0
        self._is_out = False
        self.notifications = PostgreSQLNotifications(server, self.write)

    @override
    async def read(self, work: Work[T]) -> T:
        async with self._turn(self._turns):
            return await self._run(READ, work)

    @override
    async def look_up(self, work: Work[T]) -> T:
        async with self._turn(self._reserved):
            return await self._run(READ, work)

    @override
    async def write(self, work: Work[T]) -> T:
        async with self._turn(self._turns):
            try:
                return await self._run(WRITE, work)
            except FAULTS as error:
                if sqlstate(error) not in MET_ANOTHER:
                    raise
            return await self._write_again(work)

    async def _write_again(self, work: Work[T]) -> T:
        """One after the other: those of one server have mostly met each other."""
        async with self._alone:
            for attempt in range(1, ATTEMPTS):
                await asyncio.sleep(min(FIRST_DELAY * 2**attempt, MAX_DELAY) * random.random())  # noqa: S311
                try:
                    return await self._run(WRITE, work)
                except FAULTS as error:
                    if sqlstate(error) not in MET_ANOTHER:
                        raise
        raise Overload("Too many requests change the same things; try again in a moment.")

    @override
    async def close(self) -> None:
        await self.notifications.close()
        await self._connections.close()

    @asynccontextmanager
    async def _turn(self, turns: asyncio.Semaphore) -> AsyncIterator[None]:
        """A connection will be free. Raises `Overload`."""
        if self._waiting >= MAX_WAITING:
            raise _busy()
        self._waiting += 1
        try:
            async with asyncio.timeout(MAX_WAIT):
                await turns.acquire()
        except TimeoutError:
            raise _busy() from None
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            turns.release()

    async def _run(self, begin: str, work: Work[T]) -> T:
        """One transaction."""
        try:
            result = await self._connections.run(begin, work)
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
            return Unstorable("A text contains a character that cannot be stored.", "It is U+0000.")
        if not (code.startswith(OUTAGES) if code else is_lost(error)):
            return error
        if not self._is_out:
            self._is_out = True
            log.warning("the database cannot be used", cause=cause(error))
        return Outage("The database does not answer; try again in a moment.")


def _busy() -> Overload:
    return Overload("The server is overloaded; try again in a moment.")
