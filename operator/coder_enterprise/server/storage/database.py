"""The seam between the asynchronous server and the synchronous functions of a connection.

The services hand a function to `read` or `write`; what it raises undoes its own work alone and reaches the caller.
`sqlite` implements it with a thread for each of them, `postgresql` with a pool of connections.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from coder_enterprise.server.access import Actor
from coder_enterprise.server.storage import actors
from coder_enterprise.server.storage.connection import Connection, Duplicate, unique
from coder_enterprise.server.storage.notifications import Notifications

__all__ = ["Connection", "Database", "Duplicate", "StorageError", "Work", "unique"]

T = TypeVar("T")

Work = Callable[[Connection], T]
ActorsWork = Callable[[Connection, Actor], T]


class StorageError(RuntimeError):
    """The database cannot be used; the message says why and what to do."""


class Database(Protocol):
    """Besides what `work` raises, both raise `Overload` when too much waits, and PostgreSQL raises `Outage`
    while it does not answer; what a write was about to do then may be done or not.
    """

    notifications: Notifications

    async def read(self, work: Work[T]) -> T:
        """Run `work` on one consistent state that includes every acknowledged write.

        Least of all costs a `prepared.Question`.
        """

    async def look_up(self, work: Work[T]) -> T:
        """`read` for few rows that are found by their keys, such as who sends a request: it waits for no list."""
        return await self.read(work)

    async def write(self, work: Work[T]) -> T:
        """Run `work` as one transaction, as if no other ran at the same time; it is durable when this returns.

        `work` may run more than once, and must do nothing but use the connection. For what somebody asked for there
        is `write_as`.
        """

    async def write_as(self, sender: Actor, work: ActorsWork[T]) -> T:
        """`write` for who sent a request: `work` gets them as they are inside the transaction, and decides by that.

        A request's body may come long after its head, and its sender may be another by then. Raises `SessionEnded`
        when the session that the request came with is over.
        """
        return await self.write(lambda connection: work(connection, actors.current(connection, sender)))

    async def close(self) -> None: ...
