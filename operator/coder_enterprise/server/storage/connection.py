"""What the functions of a connection share: the connection itself, and how a name that is taken is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

__all__ = ["Connection", "Duplicate", "unique"]


class Duplicate(Exception):
    """A row with the same unique value exists."""


@contextmanager
def unique(connection: Connection) -> Iterator[None]:
    """Raises `Duplicate` when a row cannot be written because another one has its unique value.

    The transaction can go on: PostgreSQL, which would refuse all that follows, gets a savepoint.
    """
    savepoint = connection.begin_nested() if connection.dialect.name == "postgresql" else nullcontext()
    try:
        with savepoint:
            yield
    except IntegrityError as error:
        raise Duplicate(str(error.orig)) from None
