"""The open connections to PostgreSQL: a transaction takes one, and there is another whenever all are taken.

`postgresql` says how many that may be at a time. Each belongs to a connection of SQLAlchemy for as long as it is open:
made for each transaction, that costs more than the transaction. So transactions begin and end here, by the driver.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from sqlalchemy import NullPool
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from coder_enterprise.server.storage.database import Work
from coder_enterprise.server.storage.postgresql_server import FAULTS, PostgreSQLServer
from coder_enterprise.server.storage.prepared import Question

T = TypeVar("T")

MAX_AGE: Final = 300
"""Seconds after which a connection is made anew: what lies between may forget one that is idle for longer."""


class NotCommitted(Exception):
    """PostgreSQL rolls back where work goes on after one of its statements has failed."""


@dataclass(frozen=True, slots=True)
class _Open:
    connection: AsyncConnection
    driver: Any
    since: float = field(default_factory=time.monotonic)

    @property
    def is_usable(self) -> bool:
        """Not when the database has closed it while it was idle."""
        return not self.driver.is_closed() and time.monotonic() < self.since + MAX_AGE


class PostgreSQLConnections:
    def __init__(self, server: PostgreSQLServer) -> None:
        self._engine = engine(server, isolation_level="AUTOCOMMIT", pool_reset_on_return=None)
        self._idle: list[_Open] = []
        self._is_closed = False

    async def run(self, begin: str, work: Work[T]) -> T:
        """As one transaction, which `begin` starts. Raises one of `FAULTS`, and what `work` raises."""
        taken = await self._take()
        try:
            return await _transaction(taken, begin, work)
        finally:
            if taken.is_usable and not self._is_closed:
                self._idle.append(taken)
            else:
                await _close(taken)

    async def close(self) -> None:
        self._is_closed = True
        while self._idle:
            await _close(self._idle.pop())
        await self._engine.dispose()

    async def _take(self) -> _Open:
        while self._idle:
            if (found := self._idle.pop()).is_usable:
                return found
            await _close(found)
        connection = await self._engine.connect()
        return _Open(connection, (await connection.get_raw_connection()).driver_connection)


async def _transaction(taken: _Open, begin: str, work: Work[T]) -> T:
    try:
        if isinstance(work, Question):  # a statement by itself is a transaction, and takes one answer of three
            answer: T = await work.ask(taken.connection.dialect, taken.driver.fetch)
            return answer
        await taken.driver.execute(begin)
        result = await taken.connection.run_sync(work)
        if await taken.driver.execute("COMMIT") != "COMMIT":
            raise NotCommitted("a statement of the transaction had failed, and nothing was written")
    except BaseException as error:
        await _undo(taken, error)
        raise
    return result


async def _undo(taken: _Open, error: BaseException) -> None:
    """Roll back, also for a caller who has gone away; a connection on which nothing came is not asked again."""
    try:
        if isinstance(error, OSError):
            taken.driver.terminate()
        elif not taken.driver.is_closed():
            await taken.driver.execute("ROLLBACK")
    except FAULTS:
        taken.driver.terminate()
    except BaseException:
        taken.driver.terminate()
        raise


async def _close(opened: _Open) -> None:
    with contextlib.suppress(*FAULTS):
        await opened.connection.close()


def engine(server: PostgreSQLServer, **options: Any) -> AsyncEngine:
    """Statements are never shown with their parameters, which may be hashes of secrets."""
    return create_async_engine(
        "postgresql+asyncpg://", async_creator=server.connect, poolclass=NullPool, hide_parameters=True, **options
    )
