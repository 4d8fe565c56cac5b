"""Rows by a list of ids that is one parameter: written out, each length of the list is another statement, which takes
longer to write and to read than to run. Used by the storage modules, where lists are long.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Boolean, ColumnElement, Text, Uuid, bindparam
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine
from typing_extensions import override


class _Ids(TypeDecorator[Iterable[UUID]]):
    """JSON on SQLite, an array on PostgreSQL."""

    impl = Text
    cache_ok = True

    @override
    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(ARRAY(Uuid()) if dialect.name == "postgresql" else Text())

    @override
    def process_bind_param(self, value: Iterable[UUID] | None, dialect: Dialect) -> Any:
        ids = list(value or ())
        return ids if dialect.name == "postgresql" else json.dumps([each.hex for each in ids])


class _Among(FunctionElement[bool]):
    type = Boolean()
    inherit_cache = True

    @override
    def self_group(self, against: Any = None) -> Any:
        """As it is: compared with 1, as booleans are on SQLite, it would be answered by no index."""
        return self


def among(column: ColumnElement[UUID], name: str) -> ColumnElement[bool]:
    """The column has one of the ids that the parameter `name` holds."""
    return _Among(column, bindparam(name, type_=_Ids()))


@compiles(_Among, "sqlite")
def _on_sqlite(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, ids = (compiler.process(part, **options) for part in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({ids}))"  # noqa: S608 - both are the compiler's


@compiles(_Among, "postgresql")
def _on_postgresql(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, ids = (compiler.process(part, **options) for part in element.clauses)
    return f"{column} = ANY ({ids})"
