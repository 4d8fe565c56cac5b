"""The seam between the asynchronous server and the synchronous functions of a connection.

The services hand a function to `read` or `write`; what it raises undoes its own work alone and reaches the caller.
`sqlite` implements it with one thread for each of the two, `postgresql` with a pool of connections.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Protocol, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from coder_enterprise.server.storage.notifications import Notifications

__all__ = ["Connection", "Database", "Duplicate", "StorageError", "Work", "unique"]

T = TypeVar("T")

Work = Callable[[Connection], T]


class StorageError(RuntimeError):
    """The database cannot be used; the message says why and what to do."""


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


class Database(Protocol):
    """Besides what `work` raises, both raise `Overloaded` when too much waits, and PostgreSQL raises `Unavailable`
    while it does not answer; what a write was about to do then may be done or not.
    """

    notifications: Notifications

    async def read(self, work: Work[T]) -> T:
        """Run `work` on one consistent state that includes every acknowledged write."""

    async def write(self, work: Work[T]) -> T:
        """Run `work` as one transaction, as if no other ran at the same time; it is durable when this returns.

        `work` may run more than once, and must do nothing but use the connection.
        """

    async def close(self) -> None: ...
