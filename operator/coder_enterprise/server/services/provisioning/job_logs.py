"""The lines that jobs write: all that there are, and those that come, for whoever follows them.

`job_course` adds lines and ends jobs, and tells of it here; template versions and builds say whose lines an actor
may read. A follower is asked again who they are, and what they may read, before every line that came later.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from uuid import UUID

from coder_enterprise.server.access import Actor
from coder_enterprise.server.errors import Overloaded
from coder_enterprise.server.storage import actors
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.server.storage.provisioning import job_logs, provisioner_jobs
from coder_enterprise.wire.provisioner_jobs import ProvisionerJobLog

CHANGES: Final = "provisioner_job_logs"
"""The channel on which the id of a job is published that has more lines, or has ended."""
LOOK_AGAIN_AFTER: Final = 30.0
"""Seconds: what was published may be lost."""
MAX_FOLLOWED: Final = 32
"""Jobs that one user follows at the same time, in one process."""

Find = Callable[[Connection, Actor], UUID]
"""The id of the job whose lines the actor asks for. Raises `NotFound`."""


class Span(NamedTuple):
    """Lines by their ids, without both ends."""

    after: int = 0
    before: int | None = None


@dataclass(eq=False)
class _Follower:
    job_id: UUID
    woken: asyncio.Event = field(default_factory=asyncio.Event)


class JobLogs:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._followers: set[_Follower] = set()
        self._followed: Counter[UUID] = Counter()
        database.notifications.subscribe(CHANGES, self._wake)

    @property
    def following(self) -> int:
        """Those who wait for lines, in this process."""
        return len(self._followers)

    async def tell(self, job_id: UUID) -> None:
        """It has more lines, or has ended: call it when the transaction is over."""
        await self._database.notifications.publish(CHANGES, str(job_id))

    async def read(self, actor: Actor, find: Find, span: Span) -> list[ProvisionerJobLog]:
        """Raises what `find` does."""
        return await self._database.read(lambda connection: _lines(connection, find(connection, actor), span))

    async def follow(self, sender: Actor, find: Find, span: Span) -> AsyncGenerator[list[ProvisionerJobLog], None]:
        """The lines that are there, perhaps none, then those that come, until the job has ended.

        Raises what `find` does, `SessionEnded` when the session is over, and `Overloaded` for too many at once.
        """

        def look(connection: Connection) -> tuple[list[ProvisionerJobLog], bool]:
            job_id = find(connection, actors.current(connection, sender))
            job = provisioner_jobs.get(connection, job_id)
            return _lines(connection, job_id, span), job is None or job.completed_at is not None

        job_id = await self._database.read(lambda connection: find(connection, sender))
        with self._follower(sender, job_id) as woken:
            is_over = False
            while not is_over:
                woken.clear()
                lines, is_over = await self._database.read(look)
                yield lines
                if lines:
                    span = span._replace(after=lines[-1].id)
                if not is_over:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(woken.wait(), LOOK_AGAIN_AFTER)

    @contextlib.contextmanager
    def _follower(self, sender: Actor, job_id: UUID) -> Iterator[asyncio.Event]:
        if self._followed[sender.id] >= MAX_FOLLOWED:
            raise Overloaded(f"You follow {MAX_FOLLOWED} jobs already.", "End one of the connections first.")
        follower = _Follower(job_id)
        self._followers.add(follower)
        self._followed[sender.id] += 1
        try:
            yield follower.woken
        finally:
            self._followers.discard(follower)
            self._followed[sender.id] -= 1
            if not self._followed[sender.id]:
                del self._followed[sender.id]

    def _wake(self, message: str | None) -> None:
        for follower in self._followers:
            if message is None or message == str(follower.job_id):
                follower.woken.set()


def _lines(connection: Connection, job_id: UUID, span: Span) -> list[ProvisionerJobLog]:
    return [
        ProvisionerJobLog.model_construct(
            id=number,
            created_at=line.created_at,
            log_source=line.source,  # type: ignore[arg-type]
            log_level=line.level,  # type: ignore[arg-type]
            stage=line.stage,
            output=line.output,
        )
        for number, line in job_logs.read(connection, job_id, *span)
    ]
