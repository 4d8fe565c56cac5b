"""What becomes of a job that a daemon was given: told of, charged, completed, failed, canceled, given up.

`protocol` is how daemons ask. A job whose daemon says nothing for `HUNG_AFTER` has failed, and not before: a daemon
that has lost its connection comes back and goes on.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from coder_enterprise.server.errors import BadRequest
from coder_enterprise.server.rpc.calls import RPCError
from coder_enterprise.server.services import workspace_quota
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.entitlements import Entitlements
from coder_enterprise.server.services.provisioning import results
from coder_enterprise.server.services.provisioning.job_logs import JobLogs
from coder_enterprise.server.services.provisioning.results import clean, job_id_of
from coder_enterprise.server.services.provisioning.serving import Serving, require_user
from coder_enterprise.server.services.variables import Variables
from coder_enterprise.server.services.workspace_quota import is_limited
from coder_enterprise.server.storage import workspace_builds, workspaces
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.server.storage.provisioning import job_logs as stored_logs
from coder_enterprise.server.storage.provisioning import module_files, provisioner_jobs
from coder_enterprise.server.storage.provisioning.job_logs import Log
from coder_enterprise.server.storage.provisioning.provisioner_jobs import Job
from coder_enterprise.wire.provisioning import messages_pb2 as pb

HUNG_AFTER: Final = timedelta(minutes=5)
MAX_LOGS: Final = 1024 * 1024
"""Bytes of one job's logs; what follows is dropped."""
LOG_OVERHEAD: Final = 16
MAX_ERROR: Final = 64 * 1024
MAX_ERROR_CODE: Final = 64


class JobCourse:
    """What is asked of it for a daemon raises `RPCError` when that daemon may not ask it.

    It raises `SessionEnded` or `Forbidden` when the user whose daemon it is may not run it any more.
    """

    def __init__(self, database: Database, entitlements: Entitlements, logs: JobLogs, variables: Variables) -> None:
        self._database = database
        self._entitlements = entitlements
        self._logs = logs
        self._variables = variables

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
            resources = results.complete(connection, job, request, moment)
            values = {"completed_at": moment, "updated_at": moment, "resources": resources}
            provisioner_jobs.update_fields(connection, job.id, values)
            module_files.remove_of_job(connection, job.id)

        await self._database.write(work)
        await self._logs.tell(job_id_of(request.job_id))
        return pb.Empty()

    async def fail(self, serving: Serving, request: pb.FailedJob) -> pb.Empty:
        def work(connection: Connection) -> None:
            job = _running(connection, serving, request.job_id)
            moment = now()
            results.fail(connection, job, request, moment)
            error = clean(request.error) or "The provisioner daemon gave no reason."
            end(connection, job, error, clean(request.error_code), moment)

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
                end(connection, job, f"The provisioner daemon said nothing for {minutes} minutes.", "", moment)
            return hung

        given_up = await self._database.write(work)
        for job in given_up:
            await self._logs.tell(job.id)
        return len(given_up)


def cancel(connection: Connection, job_id: UUID) -> None:
    """A job that waits has ended with it; a daemon that does the job hears of it. Raises `BadRequest`."""
    job = provisioner_jobs.known(connection, job_id)
    if job.completed_at is not None:
        raise BadRequest("Job has already completed!")
    if job.canceled_at is not None:
        raise BadRequest("Job has already been marked as canceled!")
    moment = now()
    values: dict[str, Any] = {"canceled_at": moment}
    if job.started_at is None:
        values |= {"completed_at": moment, "updated_at": moment}
    provisioner_jobs.update_fields(connection, job.id, values)


def end(connection: Connection, job: Job, error: str, code: str, moment: datetime) -> None:
    """It has failed."""
    values = {
        "completed_at": moment,
        "updated_at": moment,
        "error": error[:MAX_ERROR],
        "error_code": code[:MAX_ERROR_CODE],
    }
    provisioner_jobs.update_fields(connection, job.id, values)
    module_files.remove_of_job(connection, job.id)


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
    values = results.note_template(connection, job, request, variables)
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
    stored_logs.add(connection, job.id, kept)
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
