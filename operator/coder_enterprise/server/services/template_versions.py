"""Versions of templates: made of a file by a job, and one of them is active.

Whose they are and who may do what is `template_version_access`'s; how they change, `template_version_changes`'.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from uuid import UUID

from coder_enterprise.server import names
from coder_enterprise.server.access import Actor
from coder_enterprise.server.errors import BadRequest, NotFound, PreconditionFailed, invalid
from coder_enterprise.server.services import audit, references, variable_views
from coder_enterprise.server.services import template_version_changes as changes
from coder_enterprise.server.services.paging import Page, nothing_after
from coder_enterprise.server.services.provisioning import job_views as views
from coder_enterprise.server.services.provisioning.job_course import cancel as cancel_job
from coder_enterprise.server.services.provisioning.job_logs import Find, JobLogs, Span
from coder_enterprise.server.services.provisioning.job_queue import JobQueue
from coder_enterprise.server.services.template_access import access_of, visible
from coder_enterprise.server.services.template_version_access import named, require_change, seen
from coder_enterprise.server.services.template_version_views import one, parameter, to_wire
from coder_enterprise.server.services.variables import Variables
from coder_enterprise.server.storage import template_versions, templates
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.server.storage.provisioning import provisioner_jobs as stored_jobs
from coder_enterprise.server.storage.template_versions import TemplateVersion as VersionRow
from coder_enterprise.wire.provisioner_jobs import ProvisionerJobLog
from coder_enterprise.wire.template_versions import (
    CreateTemplateVersionRequest,
    PatchTemplateVersionRequest,
    Preset,
    TemplateVersion,
    TemplateVersionParameter,
    TemplateVersionVariable,
)
from coder_enterprise.wire.workspace_resources import WorkspaceResource


class TemplateVersions:
    def __init__(self, database: Database, jobs: JobQueue, logs: JobLogs, variables: Variables) -> None:
        self._variables = variables
        self._database = database
        self._jobs = jobs
        self._logs = logs

    async def create(self, actor: Actor, organization: str, request: CreateTemplateVersionRequest) -> TemplateVersion:
        """Raises `NotFound`, `Forbidden`, `BadRequest`, and `Conflict` for a name that is taken."""
        made = await self._database.write_as(
            actor, lambda connection, actor: changes.create(connection, actor, organization, request, self._variables)
        )
        await self._jobs.announce(made.organization_id)
        return made

    async def get(self, actor: Actor, reference: str) -> TemplateVersion:
        """Raises `BadRequest` for what is no id, and `NotFound`."""
        version_id = references.uuid_parameter("templateversion", reference)
        return await self._database.read(lambda connection: one(connection, seen(connection, actor, version_id)))

    async def by_name(self, actor: Actor, template: str, name: str) -> TemplateVersion:
        """Of the template with that id. Raises `BadRequest` for what is no id, and `NotFound`."""
        template_id = references.uuid_parameter("template", template)

        def work(connection: Connection) -> TemplateVersion:
            return one(connection, named(connection, visible(connection, actor, template_id), name))

        return await self._database.read(work)

    async def by_names(
        self, actor: Actor, organization: str, template: str, name: str, *, previous: bool = False
    ) -> TemplateVersion:
        """The version, or the `previous` one. Raises `NotFound`."""

        def work(connection: Connection) -> TemplateVersion:
            home = references.organization(connection, organization)
            found = templates.by_name(connection, home.id, template, access_of(actor))
            if found is None:
                raise NotFound
            row = named(connection, found, name)
            shown = template_versions.before(connection, row) if previous else row
            if shown is None:
                raise NotFound
            return one(connection, shown)

        return await self._database.read(work)

    async def patch(self, actor: Actor, reference: str, request: PatchTemplateVersionRequest) -> TemplateVersion:
        """Raises `BadRequest`, `NotFound`, `Forbidden`, and `Conflict` for a name that is taken."""
        version_id = references.uuid_parameter("templateversion", reference)
        return await self._database.write_as(
            actor, lambda connection, actor: changes.patch(connection, actor, version_id, request)
        )

    async def parameters(self, actor: Actor, reference: str) -> list[TemplateVersionParameter]:
        """What workspaces of it are asked for, in the order of the template. Raises like `get`."""
        version_id = references.uuid_parameter("templateversion", reference)
        return await self._database.read(
            lambda connection: [parameter(item) for item in seen(connection, actor, version_id).parameters]
        )

    async def presets(self, actor: Actor, reference: str) -> list[Preset]:
        """What the template suggests, in its order. Raises like `get`."""
        version_id = references.uuid_parameter("templateversion", reference)
        return await self._database.read(
            lambda connection: [Preset.model_validate(item) for item in seen(connection, actor, version_id).presets]
        )

    async def variables(self, actor: Actor, reference: str) -> list[TemplateVersionVariable]:
        """What its maker was asked for. Raises like `get`, and `PreconditionFailed` until it is imported."""
        version_id = references.uuid_parameter("templateversion", reference)

        def work(connection: Connection) -> VersionRow:
            row = seen(connection, actor, version_id)
            job = stored_jobs.get(connection, row.job_id)
            if job is None or views.status(job) != "succeeded":
                raise PreconditionFailed("The template version is not imported.", "Its variables are known then.")
            return row

        return variable_views.to_wire(await self._database.read(work), self._variables)

    async def require(self, actor: Actor, reference: str) -> None:
        """That the actor may see it. Raises like `get`."""
        version_id = references.uuid_parameter("templateversion", reference)
        await self._database.read(lambda connection: seen(connection, actor, version_id))

    async def of_template(self, actor: Actor, reference: str, page: Page) -> list[TemplateVersion]:
        """Oldest first. Raises `BadRequest` for what is no id and for a page after no version, and `NotFound`."""
        template_id = references.uuid_parameter("template", reference)

        def work(connection: Connection) -> list[TemplateVersion]:
            template = visible(connection, actor, template_id)
            after = template_versions.get(connection, page.after_id) if page.after_id else None
            if page.after_id and (after is None or after.template_id != template.id):
                raise nothing_after(page.after_id)
            rows = template_versions.of_template(connection, template.id, page.limit, page.offset, after)
            return to_wire(connection, rows)

        return await self._database.read(work)

    async def logs(self, actor: Actor, reference: str, span: Span) -> list[ProvisionerJobLog]:
        """Like `get`."""
        return await self._logs.read(actor, _job_of(reference), span)

    def follow(self, actor: Actor, reference: str, span: Span) -> AsyncGenerator[list[ProvisionerJobLog], None]:
        """What there is of the logs, and what comes. Raises like `get`, and as `JobLogs.follow` does."""
        return self._logs.follow(actor, _job_of(reference), span)

    async def resources(self, actor: Actor, reference: str) -> list[WorkspaceResource]:
        """What a workspace of it has, started and stopped. Raises like `get`, and `BadRequest` before the job's end."""
        version_id = references.uuid_parameter("templateversion", reference)

        def work(connection: Connection) -> list[WorkspaceResource]:
            row = seen(connection, actor, version_id)
            job = stored_jobs.get(connection, row.job_id)
            if job is None or job.completed_at is None:
                raise BadRequest("The job of this template version has not ended.")
            return views.resources(job, stored_jobs.resources(connection, [job.id])[job.id])

        return await self._database.read(work)

    async def cancel(self, actor: Actor, reference: str) -> None:
        """Raises `BadRequest` for what is no id and after its end, `NotFound`, and `Forbidden`."""
        version_id = references.uuid_parameter("templateversion", reference)

        def work(connection: Connection, actor: Actor) -> UUID:
            row = seen(connection, actor, version_id)
            require_change(connection, actor, row)
            cancel_job(connection, row.job_id)
            audit.record(connection, actor.id, "stop", changes.resource(row), organization_id=row.organization_id)
            return row.job_id

        await self._logs.tell(await self._database.write_as(actor, work))

    async def activate(self, actor: Actor, template: str, version: str) -> None:
        """New workspaces are made of this version. Raises `BadRequest`, `NotFound` and `Forbidden`."""
        template_id = references.uuid_parameter("template", template)
        version_id = names.as_uuid(version)
        if version_id is None:
            raise invalid(id="must be a UUID")
        await self._database.write_as(
            actor, lambda connection, actor: changes.activate(connection, actor, template_id, version_id)
        )


def _job_of(reference: str) -> Find:
    """Raises `BadRequest` for what is no id."""
    version_id = references.uuid_parameter("templateversion", reference)
    return lambda connection, actor: seen(connection, actor, version_id).job_id
