"""SQLite behind the seam: a thread that writes, one that reads and one that looks up, each with its own connection.

Writes that wait at the same time are committed together, each behind a savepoint of its own, so that one sync to disk
serves all of them and a refused one takes nothing else with it. A lock file keeps a second server out.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import fcntl
import functools
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import structlog
from sqlalchemy import Connection, Engine, NullPool, create_engine, event
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from typing_extensions import override

from coder_enterprise.server.storage.database import Database, StorageError, Work
from coder_enterprise.server.storage.failures import Outage, Overload
from coder_enterprise.server.storage.notifications import LocalNotifications

T = TypeVar("T")

log = structlog.get_logger(__name__)

MAX_BATCH: Final = 128
MAX_WAITING: Final = 1024
BUSY_TIMEOUT_MS: Final = 5000
READ: Final = "BEGIN"
WRITE: Final = "BEGIN IMMEDIATE"
PRAGMAS: Final = (
    f"busy_timeout={BUSY_TIMEOUT_MS}",
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "cache_size=-32000",
)


@dataclass(slots=True, eq=False)
class _Job:
    work: Work[Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]


_OUTAGES: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
    }
)
"""https://www.sqlite.org/rescode.html: what lies outside of this program, and may pass."""

_Outcome = tuple[Any, Exception | None]


class SQLiteDatabase(Database):
    """Open it with `open_database`, which locks and migrates first."""

    def __init__(self, path: Path, lock: int) -> None:
        self.notifications = LocalNotifications()
        self._lock = lock
        self._writer = _Worker("storage-writer", connect(path), _run_writes)
        self._reader = _Worker("storage-reader", connect(path), _run_reads)
        self._finder = _Worker("storage-finder", connect(path), _run_reads)

    @override
    async def read(self, work: Work[T]) -> T:
        result: T = await self._reader.submit(work)
        return result

    @override
    async def look_up(self, work: Work[T]) -> T:
        result: T = await self._finder.submit(work)
        return result

    @override
    async def write(self, work: Work[T]) -> T:
        result: T = await self._writer.submit(work)
        return result

    @override
    async def close(self) -> None:
        """Finish what was handed over, then let the file go."""
        for worker in (self._writer, self._reader, self._finder):
            await asyncio.to_thread(worker.stop)
        os.close(self._lock)


class _Worker:
    """A thread with a connection and a queue of jobs, which it takes in batches."""

    def __init__(
        self,
        name: str,
        connection: Connection,
        run: Callable[[Connection, Sequence[_Job]], list[_Outcome]],
    ) -> None:
        self._connection = connection
        self._run = run
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)
        self._thread.start()

    def submit(self, work: Work[Any]) -> asyncio.Future[Any]:
        if self._jobs.qsize() >= MAX_WAITING:
            raise Overload("The server is overloaded; try again in a moment.")
        loop = asyncio.get_running_loop()
        job = _Job(functools.partial(_in_context, contextvars.copy_context(), work), loop, loop.create_future())
        self._jobs.put(job)
        return job.future

    def stop(self) -> None:
        self._jobs.put(None)
        self._thread.join()

    def _loop(self) -> None:
        try:
            while batch := self._take():
                try:
                    outcomes = self._run(self._connection, batch)
                except Exception as error:  # noqa: BLE001 - it belongs to those who wait, not to this thread
                    outcomes = [(None, _judged(error))] * len(batch)
                with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody waits any more
                    batch[0].loop.call_soon_threadsafe(_deliver, batch, outcomes)
        finally:
            self._connection.close()

    def _take(self) -> list[_Job]:
        """All that wait, up to the limit; empty when it is time to stop."""
        batch: list[_Job] = []
        job = self._jobs.get()
        while job is not None:
            batch.append(job)
            if len(batch) == MAX_BATCH:
                break
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
        else:
            if batch:
                self._jobs.put(None)  # do these first, and stop at the next turn
        return batch


def _in_context(context: contextvars.Context, work: Work[T], connection: Connection) -> T:
    """What is true for who handed it over is true for the work, too."""
    return context.run(work, connection)


def _judged(error: Exception) -> Exception:
    """What the caller gets: the error itself where it is this program's fault."""
    cause = error.orig if isinstance(error, OperationalError) else error
    code = getattr(cause, "sqlite_errorcode", None)
    if code is None or code & 0xFF not in _OUTAGES:
        return error
    log.warning("the database cannot be used", cause=str(cause))
    return Outage("The database cannot be used now; try again in a moment.", f"{cause}.")


def _deliver(batch: Sequence[_Job], outcomes: Sequence[_Outcome]) -> None:
    for job, (result, error) in zip(batch, outcomes, strict=True):
        if job.future.done():
            continue
        if error is not None:
            job.future.set_exception(error)
        else:
            job.future.set_result(result)


def _run_writes(connection: Connection, batch: Sequence[_Job]) -> list[_Outcome]:
    raw = _driver(connection)
    with _transaction(raw, WRITE):
        return [_attempt(raw, connection, job) for job in batch]


def _attempt(raw: sqlite3.Connection, connection: Connection, job: _Job) -> _Outcome:
    raw.execute("SAVEPOINT job")
    try:
        result = job.work(connection)
    except Exception as error:  # noqa: BLE001 - the caller's, who waits for the future
        raw.execute("ROLLBACK TO job")
        raw.execute("RELEASE job")
        return None, _judged(error)
    raw.execute("RELEASE job")
    return result, None


def _run_reads(connection: Connection, batch: Sequence[_Job]) -> list[_Outcome]:
    """One state for the whole batch: it was taken from the queue before the state is fixed, so it is new enough."""
    outcomes: list[_Outcome] = []
    with _transaction(_driver(connection), READ):
        for job in batch:
            try:
                outcomes.append((job.work(connection), None))
            except Exception as error:  # noqa: BLE001 - the caller's, who waits for the future
                outcomes.append((None, _judged(error)))
    return outcomes


@contextlib.contextmanager
def _transaction(raw: sqlite3.Connection, begin: str) -> Iterator[None]:
    """SQLAlchemy's own, and its savepoints, cost as much as what is done in them."""
    raw.execute(begin)
    try:
        yield
        raw.execute("COMMIT")
    except BaseException:
        if raw.in_transaction:  # a full disk ends it
            raw.execute("ROLLBACK")
        raise


def _driver(connection: Connection) -> sqlite3.Connection:
    raw: Any = connection.connection.driver_connection
    return raw  # type: ignore[no-any-return]


def connect(path: Path, begin: str | None = None) -> Connection:
    """A connection whose transactions start with `begin`; None where its user has the driver begin and end them.

    Raises `StorageError`.
    """

    def open_file() -> sqlite3.Connection:
        raw = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            for pragma in PRAGMAS:
                raw.execute(f"PRAGMA {pragma}")
        except sqlite3.Error:
            raw.close()
            raise
        return raw

    # Parameters hold hashes and would be in every logged error.
    engine = create_engine("sqlite+pysqlite://", creator=open_file, poolclass=NullPool, hide_parameters=True)
    if begin is not None:
        _begin_with(engine, begin)
    try:
        return engine.connect()
    except (sqlite3.Error, SQLAlchemyError) as error:
        raise unusable(path, error) from None


def _begin_with(engine: Engine, begin: str) -> None:
    def start(connection: Connection) -> None:
        _driver(connection).execute(begin)

    event.listen(engine, "begin", start)


def unusable(path: Path, error: Exception) -> StorageError:
    cause = getattr(error, "orig", None) or getattr(error, "strerror", None) or error
    return StorageError(f"CODER_SQLITE_PATH: {path} cannot be used: {cause}")


def lock(path: Path) -> int:
    """Keep others from using the database; the lock ends with the process. Raises `StorageError`."""
    try:
        if path.is_dir():
            raise StorageError(f"CODER_SQLITE_PATH: {path} is a folder; name a file in it")
        file = path.resolve()  # through another link, it is the same database
        descriptor = os.open(file.with_name(f"{file.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise unusable(path, error) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise StorageError(
            f"{path} is in use by another server. SQLite serves exactly one: stop the other one first"
        ) from None
    return descriptor
