"""The queue of jobs, and what becomes of a job: taken by a daemon, told of, completed, failed, canceled, given up.

Template versions and builds put jobs in; `provisioner_protocol` is how daemons ask. A job whose daemon says nothing for
`HUNG_AFTER` has failed, and not before: a daemon that has lost its connection comes back and goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import structlog

from coder_enterprise.server import access
from coder_enterprise.server.access import Action, Actor, Kind, Subject
from coder_enterprise.server.errors import PreconditionFailed
from coder_enterprise.server.services import provisioner_orders, provisioner_results, provisioner_tags, workspace_quota
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.deployment import Deployment
from coder_enterprise.server.services.entitlements import Entitlements
from coder_enterprise.server.services.job_logs import JobLogs
from coder_enterprise.server.services.provisioner_results import clean, job_id_of
from coder_enterprise.server.services.variables import Undecipherable, Variables
from coder_enterprise.server.services.workspace_quota import is_limited
from coder_enterprise.server.storage import actors, provisioner_daemons, provisioner_jobs, workspace_builds, workspaces
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.server.storage.provisioner_daemons import ProvisionerDaemon
from coder_enterprise.server.storage.provisioner_jobs import Job, Log, Shown
from coder_enterprise.wire.provisioner_jobs import (
    JobInput,
    JobStatus,
    ProvisionerJob,
    WorkspaceResource,
)
from coder_enterprise.wire.provisioning import messages_pb2 as pb
from coder_enterprise.wire.provisioning.calls import RPCError
from coder_enterprise.wire.provisioning.drpc import MAX_MESSAGE

CHANGES: Final = "provisioner_jobs"
"""The channel on which the organization of a new job is published."""
LOOK_AGAIN_AFTER: Final = 30.0
"""Seconds: what was published may be lost."""
HUNG_AFTER: Final = timedelta(minutes=5)
MAX_LOGS: Final = 1024 * 1024
"""Bytes of one job's logs; what follows is dropped."""
LOG_OVERHEAD: Final = 16
MAX_ERROR: Final = 64 * 1024
MAX_ERROR_CODE: Final = 64
TOO_LARGE: Final = "The template's files and the workspace's state are larger than a provisioner daemon can be sent."

log = structlog.get_logger(__name__)


@dataclass(eq=False)
class _Waiter:
    organization_id: UUID
    woken: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True)
class Serving:
    """A daemon that is connected."""

    daemon: ProvisionerDaemon
    user: Actor | None = None
    """Whose session it came with; None for a provisioner key and for the pre-shared key."""


def daemons_of(owner: str) -> Subject:
    """Daemons for the jobs of the user with that id, or for everybody's: ""."""
    return Subject(Kind.PROVISIONER_DAEMON, UUID(owner) if owner else None)


def require_user(connection: Connection, serving: Serving) -> None:
    """Its user may still run it. Raises `Unauthorized` and `Forbidden`."""
    if serving.user is not None:
        actor = actors.current(connection, serving.user)
        access.require(actor, Action.CREATE, daemons_of(serving.daemon.owner))


class ProvisionerJobs:
    """What is asked of it for a daemon raises `RPCError` when that daemon may not ask it.

    It raises `Unauthorized` or `Forbidden` when the user whose daemon it is may not run it any more.
    """

    def __init__(
        self,
        database: Database,
        entitlements: Entitlements,
        deployment: Deployment,
        logs: JobLogs,
        variables: Variables,
    ) -> None:
        self._database = database
        self._variables = variables
        self._logs = logs
        self._entitlements = entitlements
        self._deployment = deployment
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

        `given_up` is cancelled at the end.
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

    async def update(self, serving: Serving, request: pb.UpdateJobRequest) -> pb.UpdateJobResponse:
        """Keep logs and what was read of a template; say whether the job shall end."""
        answer = await self._database.write(lambda connection: _update(connection, serving, request, self._variables))
        if request.logs:
            await self._logs.tell(job_id_of(request.job_id))
        return answer

    async def commit_quota(self, serving: Serving, request: pb.CommitQuotaRequest) -> pb.CommitQuotaResponse:
        """Charge a build what its workspace will cost, unless that is too much."""
        limited = is_limited(self._entitlements)
        return await self._database.write(
            lambda connection: _commit_quota(connection, serving, request, limited=limited)
        )

    async def complete(self, serving: Serving, request: pb.CompletedJob) -> pb.Empty:
        def work(connection: Connection) -> None:
            job = _running(connection, serving, request.job_id)
            moment = now()
            resources = provisioner_results.complete(connection, job, request, moment)
            values = {"completed_at": moment, "updated_at": moment, "resources": resources}
            provisioner_jobs.update_fields(connection, job.id, values)

        await self._database.write(work)
        await self._logs.tell(job_id_of(request.job_id))
        return pb.Empty()

    async def fail(self, serving: Serving, request: pb.FailedJob) -> pb.Empty:
        def work(connection: Connection) -> None:
            job = _running(connection, serving, request.job_id)
            moment = now()
            provisioner_results.fail(connection, job, request, moment)
            error = clean(request.error) or "The provisioner daemon gave no reason."
            _end(connection, job, error, clean(request.error_code), moment)

        await self._database.write(work)
        await self._logs.tell(job_id_of(request.job_id))
        return pb.Empty()

    async def give_up_hung(self) -> int:
        """Fail the jobs whose daemons have said nothing for too long; how many there were."""

        def work(connection: Connection) -> list[Job]:
            moment = now()
            hung = provisioner_jobs.hung(connection, moment - HUNG_AFTER)
            for job in hung:
                minutes = HUNG_AFTER // timedelta(minutes=1)
                _end(connection, job, f"The provisioner daemon said nothing for {minutes} minutes.", "", moment)
            return hung

        given_up = await self._database.write(work)
        for job in given_up:
            await self._logs.tell(job.id)
        return len(given_up)

    def _wake(self, message: str | None) -> None:
        for waiter in self._waiters:
            if message is None or message == str(waiter.organization_id):
                waiter.woken.set()

    async def _take(self, serving: Serving) -> pb.AcquiredJob | None:
        """Looks before it writes: most who are woken find nothing."""
        if not await self._database.read(lambda connection: _fitting(connection, serving)):
            return None
        access_url = self._deployment.access_url
        taking = asyncio.ensure_future(
            self._database.write(lambda connection: _start_next(connection, serving, access_url, self._variables))
        )
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            # The daemon left while the job was being given to it: it waits again.
            (outcome,) = await asyncio.gather(taking, return_exceptions=True)
            if isinstance(outcome, pb.AcquiredJob):
                await self._give_back(serving, outcome)
            raise

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


# Jobs in a transaction: for those who make, show and cancel them.


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


def cancel(connection: Connection, job_id: UUID) -> None:
    """A job that waits has ended with it; a daemon that does the job hears of it. Raises `PreconditionFailed`."""
    job = provisioner_jobs.get(connection, job_id)
    if job is None:
        raise AssertionError("jobs are never deleted")
    if job.completed_at is not None:
        raise PreconditionFailed("Job has already completed!")
    if job.canceled_at is not None:
        raise PreconditionFailed("Job has already been marked as canceled!")
    moment = now()
    values: dict[str, Any] = {"canceled_at": moment}
    if job.started_at is None:
        values |= {"completed_at": moment, "updated_at": moment}
    provisioner_jobs.update_fields(connection, job.id, values)


def status(job: Job) -> JobStatus:
    """A canceled job that a daemon ends with an error has failed; so it is in Coder."""
    if job.completed_at is None:
        if job.canceled_at is not None:
            return "canceling"
        return "pending" if job.started_at is None else "running"
    if job.error:
        return "failed"
    return "succeeded" if job.canceled_at is None else "canceled"


def to_wire(shown: Shown) -> ProvisionerJob:
    job = shown.job
    return ProvisionerJob.model_construct(
        id=job.id,
        created_at=job.created_at,
        started_at=job.started_at,
        completed_at=job.completed_at,
        canceled_at=job.canceled_at,
        error=job.error,
        error_code=job.error_code,
        status=status(job),
        worker_id=job.worker_id,
        worker_name=shown.worker_name,
        file_id=job.file_id,
        tags=job.tags,
        queue_position=shown.queue_position,
        queue_size=shown.queue_size,
        organization_id=job.organization_id,
        initiator_id=job.initiator_id,
        input=JobInput.model_validate(job.input),
        type=job.type,  # type: ignore[arg-type]
        logs_overflowed=job.logs_overflowed,
    )


def resources(job: Job, found: Iterable[dict[str, Any]]) -> list[WorkspaceResource]:
    moment = job.completed_at or job.updated_at
    return [WorkspaceResource(**item, created_at=moment, job_id=job.id) for item in found]


# What daemons do, each in one transaction.


def _fitting(connection: Connection, serving: Serving) -> list[dict[str, str]]:
    """The sets of tags that the daemon has and that jobs wait with."""
    daemon = serving.daemon
    require_user(connection, serving)
    if not provisioner_daemons.is_there(connection, daemon.id):
        raise RPCError("this daemon is not registered any more: its key was deleted")
    waiting = provisioner_jobs.waiting_tag_sets(connection, daemon.organization_id, daemon.provisioners)
    return [tags for tags in waiting if provisioner_tags.accepts(daemon.tags, tags)]


def _start_next(
    connection: Connection, serving: Serving, access_url: str, variables: Variables
) -> pb.AcquiredJob | None:
    daemon = serving.daemon
    while fitting := _fitting(connection, serving):
        job = provisioner_jobs.next_for(connection, daemon.organization_id, daemon.provisioners, fitting)
        if job is None:
            return None
        moment = now()
        values = {"started_at": moment, "updated_at": moment, "worker_id": daemon.id}
        provisioner_jobs.update_fields(connection, job.id, values)
        try:
            order = provisioner_orders.order(connection, job, access_url, variables)
        except Undecipherable as error:
            _end(connection, job, str(error), "", moment)
            continue
        if order.ByteSize() <= MAX_MESSAGE:
            return order
        _end(connection, job, TOO_LARGE, "", moment)
    return None


def _running(connection: Connection, serving: Serving, job_id: str) -> Job:
    require_user(connection, serving)
    daemon = serving.daemon
    job = provisioner_jobs.get(connection, job_id_of(job_id))
    if job is None or job.organization_id != daemon.organization_id:
        raise RPCError(f"there is no job {job_id!r}")
    if job.worker_id != daemon.id:
        raise RPCError(f"job {job_id} is not this daemon's")
    if job.completed_at is not None:
        raise RPCError(f"job {job_id} has ended already")
    return job


def _update(
    connection: Connection, serving: Serving, request: pb.UpdateJobRequest, variables: Variables
) -> pb.UpdateJobResponse:
    moment = now()
    job = _running(connection, serving, request.job_id)._replace(updated_at=moment)
    values = provisioner_results.note_template(connection, job, request, variables)
    size, overflowed = _add_logs(connection, job, request.logs)
    provisioner_jobs.update_fields(
        connection, job.id, {"updated_at": moment, "logs_size": size, "logs_overflowed": overflowed}
    )
    return pb.UpdateJobResponse(canceled=job.canceled_at is not None, variable_values=values)


def _add_logs(connection: Connection, job: Job, lines: Iterable[pb.Log]) -> tuple[int, bool]:
    """The size of all logs, and whether some are missing."""
    size, overflowed, kept = job.logs_size, job.logs_overflowed, []
    for line in lines:
        size_with = size + len(line.output.encode()) + len(line.stage.encode()) + LOG_OVERHEAD
        overflowed = overflowed or size_with > MAX_LOGS
        if overflowed:
            break
        size = size_with
        kept.append(_log(line, job.updated_at))
    provisioner_jobs.add_logs(connection, job.id, kept)
    return size, overflowed


def _log(line: pb.Log, moment: datetime) -> Log:
    try:
        created_at = datetime.fromtimestamp(line.created_at / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        created_at = moment
    source = "provisioner" if line.source == pb.PROVISIONER else "provisioner_daemon"
    levels = pb.LogLevel.Name(line.level).lower() if line.level in pb.LogLevel.values() else "info"
    return Log(created_at, source, levels, clean(line.stage), clean(line.output))


def _commit_quota(
    connection: Connection, serving: Serving, request: pb.CommitQuotaRequest, *, limited: bool
) -> pb.CommitQuotaResponse:
    """A build that costs no less than the one before it must not lead over the budget."""
    job = _running(connection, serving, request.job_id)
    build = workspace_builds.by_job(connection, job.id)
    workspace = workspaces.get(connection, build.workspace_id) if build else None
    if build is None or workspace is None:
        raise RPCError(f"job {job.id} is not the build of a workspace")
    if request.daily_cost < 0:
        raise RPCError(f"the daily cost must not be negative: {request.daily_cost}")
    quota = workspace_quota.quota(connection, workspace.owner_id, workspace.organization_id, limited=limited)
    before = workspace_builds.cost(connection, workspace.id, build.build_number - 1)
    consumed = quota.credits_consumed - build.daily_cost + request.daily_cost
    grows = before is None or request.daily_cost >= before
    if limited and grows and consumed > quota.budget:
        return pb.CommitQuotaResponse(ok=False, credits_consumed=quota.credits_consumed, budget=quota.budget)
    values = {"daily_cost": request.daily_cost, "updated_at": now()}
    workspace_builds.update_fields(connection, build.id, values)
    return pb.CommitQuotaResponse(ok=True, credits_consumed=consumed, budget=quota.budget)


def _end(connection: Connection, job: Job, error: str, code: str, moment: datetime) -> None:
    values = {
        "completed_at": moment,
        "updated_at": moment,
        "error": error[:MAX_ERROR],
        "error_code": code[:MAX_ERROR_CODE],
    }
    provisioner_jobs.update_fields(connection, job.id, values)
