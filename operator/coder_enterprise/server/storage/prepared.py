"""Statements of nearly every request, compiled once: SQLAlchemy takes ten times as long to run one as SQLite does, and
three times as long as PostgreSQL's driver.

Used by the storage modules. The statement's text goes to the driver as it is, with what SQLAlchemy's types make of the
values. A statement that is put together anew for each call, or that lists its values, is run by SQLAlchemy alone.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from sqlalchemy import JSON, BindParameter, Executable, Uuid
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

from coder_enterprise.server.names import of_digits
from coder_enterprise.server.storage.connection import Connection
from coder_enterprise.server.storage.drivers import Row, driver
from coder_enterprise.server.storage.schema import Moment

T = TypeVar("T")

Values = Mapping[str, Any]

NONE: Final[Values] = {}

_Process = Callable[[Any], Any]


class Prepared:
    """One statement: a query, or a change whose values all have names."""

    def __init__(self, statement: Executable) -> None:
        self._statement = statement
        self._texts: dict[str, _Text] = {}

    def first(self, connection: Connection, values: Values = NONE) -> Row | None:
        text = self.text(connection.dialect)
        row = driver(connection).first(text.sql, text.bound(values))
        return None if row is None else text.read(row)

    def all(self, connection: Connection, values: Values = NONE) -> Sequence[Row]:
        text = self.text(connection.dialect)
        return list(map(text.read, driver(connection).all(text.sql, text.bound(values))))

    def run(self, connection: Connection, values: Values) -> None:
        text = self.text(connection.dialect)
        driver(connection).run(text.sql, text.bound(values))

    def text(self, dialect: Dialect) -> _Text:
        if (text := self._texts.get(dialect.name)) is None:
            text = self._texts[dialect.name] = _Text(self._statement, dialect)
        return text


class Question(Generic[T]):
    """Work for a database that is one query, and so sees one state by itself: PostgreSQL need not be told where its
    transaction begins and ends, which takes longer than the query. On SQLite it is work as any other.
    """

    def __init__(self, statement: Prepared, values: Values, made: Callable[[Sequence[Row]], T]) -> None:
        """`made` makes the answer of all rows."""
        self._statement = statement
        self._values = values
        self._made = made

    def __call__(self, connection: Connection) -> T:
        return self._made(self._statement.all(connection, self._values))

    async def ask(self, dialect: Dialect, fetch: Callable[..., Awaitable[Sequence[Row]]]) -> T:
        """`fetch` is that of the driver, which takes the values one by one."""
        text = self._statement.text(dialect)
        return self._made(list(map(text.read, await fetch(text.sql, *text.bound(self._values)))))


class _Text:
    """A statement as one of the databases reads it, and what its values and rows go through."""

    def __init__(self, statement: Executable, dialect: Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)  # type: ignore[attr-defined]
        binds: Mapping[str, BindParameter[Any]] = compiled.binds
        if any(bind.expanding for bind in binds.values()):
            raise TypeError(f"a statement with a list is not prepared: {compiled}")
        self.sql = str(compiled)
        self._fixed: Values = {name: bind.value for name, bind in binds.items() if not bind.required}
        self._binds = [
            (name, _kind(binds[name].type, dialect).bind_processor(dialect)) for name in compiled.positiontup or ()
        ]
        columns = getattr(statement, "selected_columns", ())
        processes = [_read_process(column.type, dialect) for column in columns]
        self._processes = [(at, process) for at, process in enumerate(processes) if process is not None]

    def bound(self, values: Values) -> list[Any]:
        """In the order of the statement. Raises `KeyError` for one that is missing."""
        values = {**self._fixed, **values}
        return [values[name] if process is None else process(values[name]) for name, process in self._binds]

    def read(self, row: Row) -> Row:
        values = list(row)
        for at, process in self._processes:
            values[at] = process(values[at])
        return values


def _uuid(text: str | None) -> UUID | None:
    return None if text is None else of_digits(text)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(f"{text}+00:00")


def _document(text: str | None) -> Any:
    return None if text is None else [] if text == "[]" else json.loads(text)


def _read_process(type_: TypeEngine[Any], dialect: Dialect) -> _Process | None:
    """Three types have quicker ones on SQLite than SQLAlchemy's: most of a row are ids, moments and empty lists."""
    process = _kind(type_, dialect).result_processor(dialect, None)
    if dialect.name != "sqlite" or process is None:
        return process
    if isinstance(type_, Uuid):
        return _uuid
    if isinstance(type_, Moment):
        return _moment
    return _document if isinstance(type_, JSON) else process


def _kind(type_: TypeEngine[Any], dialect: Dialect) -> TypeEngine[Any]:
    return type_.dialect_impl(dialect)
