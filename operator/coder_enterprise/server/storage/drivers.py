"""The two drivers behind one way to run a statement's text with its values, past SQLAlchemy. Used by `prepared` and
`connection`; what they raise is the driver's own, and `violates_a_rule` knows one of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Final, Protocol
from weakref import WeakKeyDictionary

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError
from typing_extensions import override

Row = Sequence[Any]
Values = Sequence[Any]

_CONSTRAINT: Final = "23"
"""What the codes of PostgreSQL's "integrity constraint violation" start with."""


class Driver(Protocol):
    def first(self, sql: str, values: Values) -> Row | None: ...

    def all(self, sql: str, values: Values) -> Sequence[Row]: ...

    def run(self, sql: str, values: Values = ()) -> None: ...


class _SQLite(Driver):
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @override
    def first(self, sql: str, values: Values) -> Row | None:
        row: Row | None = self._connection.execute(sql, values).fetchone()
        return row

    @override
    def all(self, sql: str, values: Values) -> Sequence[Row]:
        return self._connection.execute(sql, values).fetchall()

    @override
    def run(self, sql: str, values: Values = ()) -> None:
        self._connection.execute(sql, values)


class _PostgreSQL(Driver):
    """Inside of `run_sync`, where `wait` lets the event loop go on until the database has answered."""

    def __init__(self, wait: Callable[[Callable[[Any], Awaitable[Any]]], Any]) -> None:
        self._wait = wait

    @override
    def first(self, sql: str, values: Values) -> Row | None:
        row: Row | None = self._wait(lambda connection: connection.fetchrow(sql, *values))
        return row

    @override
    def all(self, sql: str, values: Values) -> Sequence[Row]:
        rows: Sequence[Row] = self._wait(lambda connection: connection.fetch(sql, *values))
        return rows

    @override
    def run(self, sql: str, values: Values = ()) -> None:
        self._wait(lambda connection: connection.execute(sql, *values))


_DRIVERS: Final[MutableMapping[Connection, Driver]] = WeakKeyDictionary()


def driver(connection: Connection) -> Driver:
    if (known := _DRIVERS.get(connection)) is None:
        known = _DRIVERS[connection] = _driver(connection)
    return known


def _driver(connection: Connection) -> Driver:
    below: Any = connection.connection
    if connection.dialect.name == "sqlite":
        return _SQLite(below.driver_connection)
    return _PostgreSQL(below.dbapi_connection.run_async)


def violates_a_rule(error: Exception) -> bool:
    """Whether a row cannot be, because of a rule of its table: a value that must be unique, or is missing."""
    if isinstance(error, (IntegrityError, sqlite3.IntegrityError)):
        return True
    return str(getattr(error, "sqlstate", "")).startswith(_CONSTRAINT)
