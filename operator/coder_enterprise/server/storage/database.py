"""The seam between the asynchronous server and the synchronous functions of a connection.

The services hand a function to `read` or `write`; what it raises undoes its own work alone and reaches the caller.
`sqlite` implements it with one thread for each of the two.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection

T = TypeVar("T")

Work = Callable[[Connection], T]


class StorageError(RuntimeError):
    """The database cannot be used; the message says why and what to do."""


class Database(Protocol):
    async def read(self, work: Work[T]) -> T:
        """Run `work` on one consistent state that includes every acknowledged write."""

    async def write(self, work: Work[T]) -> T:
        """Run `work` as one transaction; it is durable when this returns."""

    async def close(self) -> None: ...
