"""What the functions of a connection share: the connection itself, and how a name that is taken is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from sqlalchemy import Connection

from coder_enterprise.server.storage.drivers import driver, violates_a_rule

__all__ = ["Connection", "Duplicate", "unique"]


class Duplicate(Exception):
    """A row with the same unique value exists."""


@contextmanager
def unique(connection: Connection) -> Iterator[None]:
    """Raises `Duplicate` when a row cannot be written because another one has its unique value.

    The transaction can go on: PostgreSQL, which would refuse all that follows, gets a savepoint.
    """
    savepoint = _savepoint(connection) if connection.dialect.name == "postgresql" else nullcontext()
    try:
        with savepoint:
            yield
    except Exception as error:
        if not violates_a_rule(error):
            raise
        raise Duplicate(str(getattr(error, "orig", error))) from None


@contextmanager
def _savepoint(connection: Connection) -> Iterator[None]:
    """SQLAlchemy's own costs more than what is written behind it."""
    run = driver(connection).run
    run("SAVEPOINT unique_value")
    try:
        yield
    except Exception:
        run("ROLLBACK TO unique_value")
        raise
    run("RELEASE unique_value")
