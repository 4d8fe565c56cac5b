"""The queue: jobs that wait, the daemons that wait for them, and which daemon gets which.

Template versions and builds put jobs in; `protocol` is how daemons ask. What becomes of a job that was given out is
`job_course`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID, uuid4

from coder_enterprise.server.rpc.calls import RPCError
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.provisioning import job_tags
from coder_enterprise.server.services.provisioning.job_course import end
from coder_enterprise.server.services.provisioning.orders import Orders
from coder_enterprise.server.services.provisioning.serving import Serving, require_user
from coder_enterprise.server.services.sessions import Sessions
from coder_enterprise.server.services.variables import Undecipherable
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.server.storage.provisioning import provisioner_daemons, provisioner_jobs
from coder_enterprise.server.storage.provisioning.provisioner_jobs import Job
from coder_enterprise.wire.provisioning import messages_pb2 as pb
from coder_enterprise.wire.provisioning.drpc import MAX_MESSAGE

CHANGES: Final = "provisioner_jobs"
"""The channel on which the organization of a new job is published."""
LOOK_AGAIN_AFTER: Final = 30.0
"""Seconds: what was published may be lost."""
TOO_LARGE: Final = "The template's files and the workspace's state are larger than a provisioner daemon can be sent."


@dataclass(eq=False)
class _Waiter:
    organization_id: UUID
    woken: asyncio.Event = field(default_factory=asyncio.Event)


class JobQueue:
    def __init__(self, database: Database, sessions: Sessions, orders: Orders) -> None:
        self._database = database
        self._sessions = sessions
        self._orders = orders
        self._waiters: set[_Waiter] = set()
        database.notifications.subscribe(CHANGES, self._wake)

    @property
    def waiting(self) -> int:
        """Calls of daemons that wait for a job, in this process."""
        return len(self._waiters)

    async def announce(self, organization_id: UUID) -> None:
        """A job waits: call it when the transaction that made it is over."""
        await self._database.notifications.publish(CHANGES, str(organization_id))

    async def acquire(self, serving: Serving, given_up: Awaitable[Any]) -> pb.AcquiredJob:
        """The oldest job that the daemon can do, as soon as there is one; an empty one when `given_up` is done first.

        `given_up` is cancelled at the end. Raises `RPCError` for a daemon that is not registered any more, and
        `SessionEnded` or `Forbidden` when its user may not run it any more.
        """
        giving_up = asyncio.ensure_future(given_up)
        waiter = _Waiter(serving.daemon.organization_id)
        self._waiters.add(waiter)
        try:
            while not giving_up.done():
                waiter.woken.clear()
                order = await self._take(serving)
                if order is not None:
                    return order
                await _first(giving_up, waiter.woken)
            return pb.AcquiredJob()
        finally:
            self._waiters.discard(waiter)
            giving_up.cancel()
            await asyncio.gather(giving_up, return_exceptions=True)

    def _wake(self, message: str | None) -> None:
        for waiter in self._waiters:
            if message is None or message == str(waiter.organization_id):
                waiter.woken.set()

    async def _take(self, serving: Serving) -> pb.AcquiredJob | None:
        """Looks before it writes: most who are woken find nothing."""
        if not await self._database.read(lambda connection: _fitting(connection, serving)):
            return None
        taking = asyncio.ensure_future(
            self._database.write(lambda connection: _start_next(connection, serving, self._orders))
        )
        try:
            order = await asyncio.shield(taking)
        except asyncio.CancelledError:
            # The daemon left while the job was being given to it: it waits again.
            (outcome,) = await asyncio.gather(taking, return_exceptions=True)
            if isinstance(outcome, pb.AcquiredJob):
                await self._give_back(serving, outcome)
            raise
        if order is not None and order.WhichOneof("type") == "workspace_build":
            await self._sessions.forget()  # the token of the build before has ended
        return order

    async def _give_back(self, serving: Serving, order: pb.AcquiredJob) -> None:
        values = {"started_at": None, "worker_id": None}
        job_id = UUID(order.job_id)
        await self._database.write(lambda connection: provisioner_jobs.update_fields(connection, job_id, values))
        await self.announce(serving.daemon.organization_id)


async def _first(giving_up: asyncio.Future[Any], woken: asyncio.Event) -> None:
    """Until one of the two, or until it is time to look again."""
    waking: asyncio.Future[Any] = asyncio.ensure_future(woken.wait())
    try:
        await asyncio.wait({giving_up, waking}, timeout=LOOK_AGAIN_AFTER, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waking.cancel()
        await asyncio.gather(waking, return_exceptions=True)


def new_job(
    connection: Connection,
    initiator_id: UUID,
    organization_id: UUID,
    kind: str,
    source: tuple[UUID, str],
    *,
    input: dict[str, str],  # noqa: A002
    tags: dict[str, str],
) -> UUID:
    """`source` is the file and the provisioner that reads it. `announce` must follow."""
    moment = now()
    file_id, provisioner = source
    job = Job(
        id=uuid4(),
        organization_id=organization_id,
        initiator_id=initiator_id,
        provisioner=provisioner,
        type=kind,
        input=input,
        tags=tags,
        file_id=file_id,
        created_at=moment,
        updated_at=moment,
    )
    provisioner_jobs.create(connection, job)
    return job.id


def _fitting(connection: Connection, serving: Serving) -> list[dict[str, str]]:
    """The sets of tags that the daemon has and that jobs wait with."""
    daemon = serving.daemon
    require_user(connection, serving)
    if not provisioner_daemons.is_there(connection, daemon.id):
        raise RPCError("this daemon is not registered any more: its key was deleted")
    waiting = provisioner_jobs.waiting_tag_sets(connection, daemon.organization_id, daemon.provisioners)
    return [tags for tags in waiting if job_tags.accepts(daemon.tags, tags)]


def _start_next(connection: Connection, serving: Serving, orders: Orders) -> pb.AcquiredJob | None:
    daemon = serving.daemon
    while fitting := _fitting(connection, serving):
        job = provisioner_jobs.next_for(connection, daemon.organization_id, daemon.provisioners, fitting)
        if job is None:
            return None
        moment = now()
        values = {"started_at": moment, "updated_at": moment, "worker_id": daemon.id}
        provisioner_jobs.update_fields(connection, job.id, values)
        try:
            order = orders.order(connection, job)
        except Undecipherable as error:
            end(connection, job, str(error), "", moment)
            continue
        if order.ByteSize() <= MAX_MESSAGE:
            return order
        end(connection, job, TOO_LARGE, "", moment)
    return None
