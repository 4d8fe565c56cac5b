"""Dry runs: what a workspace of a template version would have, found out by a daemon without a workspace.

Coder's command line makes one before each workspace. Who made it sees it, and who may make workspaces for them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from uuid import UUID

from coder_enterprise.server import access
from coder_enterprise.server.access import Action, Actor, Kind, Subject
from coder_enterprise.server.errors import BadRequest, NotFound, TooEarly
from coder_enterprise.server.services import references
from coder_enterprise.server.services.new_builds import parameters_of
from coder_enterprise.server.services.provisioning import job_tags
from coder_enterprise.server.services.provisioning import job_views as views
from coder_enterprise.server.services.provisioning.job_course import cancel as cancel_job
from coder_enterprise.server.services.provisioning.job_logs import Find, JobLogs, Span
from coder_enterprise.server.services.provisioning.job_queue import JobQueue, new_job
from coder_enterprise.server.services.provisioning.orders import DRY_RUN, DryRun
from coder_enterprise.server.services.template_version_access import seen
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.server.storage.provisioning import job_views
from coder_enterprise.server.storage.provisioning import provisioner_jobs as stored_jobs
from coder_enterprise.server.storage.template_versions import TemplateVersion
from coder_enterprise.wire.provisioner_jobs import MatchedProvisioners, ProvisionerJob, ProvisionerJobLog
from coder_enterprise.wire.template_versions import CreateDryRunRequest
from coder_enterprise.wire.workspace_resources import WorkspaceResource


class DryRuns:
    def __init__(self, database: Database, jobs: JobQueue, logs: JobLogs) -> None:
        self._database = database
        self._jobs = jobs
        self._logs = logs

    async def create(self, actor: Actor, version: str, request: CreateDryRunRequest) -> ProvisionerJob:
        """Raises `BadRequest`, `NotFound`, and `TooEarly` until the version is imported."""
        version_id = references.uuid_parameter("templateversion", version)

        def work(connection: Connection, actor: Actor) -> ProvisionerJob:
            row = seen(connection, actor, version_id)
            access.require(actor, Action.CREATE, Subject(Kind.WORKSPACE, actor.id))
            return _shown(connection, _create(connection, actor, row, request))

        made = await self._database.write_as(actor, work)
        await self._jobs.announce(made.organization_id)
        return made

    async def get(self, actor: Actor, version: str, job: str) -> ProvisionerJob:
        """Raises `BadRequest` for what is no id, and `NotFound`."""
        find = _found(version, job)
        return await self._database.read(lambda connection: _shown(connection, find(connection, actor)))

    async def matched(self, actor: Actor, version: str, job: str) -> MatchedProvisioners:
        """The daemons that may do it, while it waits. Raises like `get`."""
        find = _found(version, job)

        def work(connection: Connection) -> MatchedProvisioners:
            job_id = find(connection, actor)
            able = views.candidates(connection, job_views.shown(connection, [job_id]).values())
            return views.matched(able.get(job_id, ()))

        return await self._database.read(work)

    async def resources(self, actor: Actor, version: str, job: str) -> list[WorkspaceResource]:
        """Raises like `get`, and `BadRequest` before its end."""
        find = _found(version, job)

        def work(connection: Connection) -> list[WorkspaceResource]:
            row = stored_jobs.known(connection, find(connection, actor))
            if row.completed_at is None:
                raise BadRequest("The dry run has not ended.")
            return views.resources(row, stored_jobs.resources(connection, [row.id])[row.id])

        return await self._database.read(work)

    async def logs(self, actor: Actor, version: str, job: str, span: Span) -> list[ProvisionerJobLog]:
        """Like `get`."""
        return await self._logs.read(actor, _found(version, job), span)

    def follow(self, actor: Actor, version: str, job: str, span: Span) -> AsyncGenerator[list[ProvisionerJobLog], None]:
        """What there is of the logs, and what comes. Raises like `get`, and as `JobLogs.follow` does."""
        return self._logs.follow(actor, _found(version, job), span)

    async def cancel(self, actor: Actor, version: str, job: str) -> None:
        """Raises like `get`, and `BadRequest` after its end."""
        find = _found(version, job)

        def work(connection: Connection, actor: Actor) -> UUID:
            job_id = find(connection, actor)
            cancel_job(connection, job_id)
            return job_id

        await self._logs.tell(await self._database.write_as(actor, work))


def _create(connection: Connection, actor: Actor, version: TemplateVersion, request: CreateDryRunRequest) -> UUID:
    imported = stored_jobs.known(connection, version.job_id)
    state = views.status(imported)
    if imported.completed_at is None:
        raise TooEarly("The template version is not imported yet.", "Try again when its job has ended.")
    if state != "succeeded":
        raise BadRequest(f"The template version {version.name!r} is {state}.", imported.error)
    sent = {value.name: value.value for value in request.rich_parameter_values}
    asked = DryRun(str(version.id), request.workspace_name, parameters_of(version, {}, sent, is_start=True))
    return new_job(
        connection,
        actor.id,
        version.organization_id,
        DRY_RUN,
        (imported.file_id, imported.provisioner),
        input=asked._asdict(),
        tags=job_tags.normalized({**imported.tags, **version.workspace_tags}, actor.id),
    )


def _found(version: str, job: str) -> Find:
    """Raises `BadRequest` for what is no id."""
    version_id = references.uuid_parameter("templateversion", version)
    job_id = references.uuid_parameter("job", job)

    def find(connection: Connection, actor: Actor) -> UUID:
        row = stored_jobs.get(connection, job_id)
        if row is None or row.type != DRY_RUN or row.input["template_version_id"] != str(version_id):
            raise NotFound
        if not access.may(actor, Action.CREATE, Subject(Kind.WORKSPACE, row.initiator_id)):
            raise NotFound
        return job_id

    return find


def _shown(connection: Connection, job_id: UUID) -> ProvisionerJob:
    return views.to_wire(job_views.shown(connection, [job_id])[job_id])
