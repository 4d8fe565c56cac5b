"""The seam between the asynchronous server and the synchronous functions of a connection.

The services hand a function to `read` or `write`; what it raises undoes its own work alone and reaches the caller.
`sqlite` implements it with one thread for each of the two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

__all__ = ["Connection", "Database", "Duplicate", "StorageError", "Work", "unique"]

T = TypeVar("T")

Work = Callable[[Connection], T]


class StorageError(RuntimeError):
    """The database cannot be used; the message says why and what to do."""


class Duplicate(Exception):
    """A row with the same unique value exists."""


@contextmanager
def unique() -> Iterator[None]:
    """Raises `Duplicate` when a row cannot be written because another one has its unique value."""
    try:
        yield
    except IntegrityError as error:
        raise Duplicate(str(error.orig)) from None


class Database(Protocol):
    async def read(self, work: Work[T]) -> T:
        """Run `work` on one consistent state that includes every acknowledged write."""

    async def write(self, work: Work[T]) -> T:
        """Run `work` as one transaction; it is durable when this returns."""

    async def close(self) -> None: ...
