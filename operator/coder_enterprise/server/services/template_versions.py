"""Versions of templates: made of a file by a job, and one of them is active.

A version without a template is seen by whoever made it, and by those who see all templates; a version of a template
by those who see the template.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Final
from uuid import UUID, uuid4

from coder_enterprise.server import access, names
from coder_enterprise.server.access import Action, Actor, Kind, Subject
from coder_enterprise.server.errors import BadRequest, NotFound, RequestError, invalid, taken
from coder_enterprise.server.services import audit, provisioner_jobs, provisioner_tags, references
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.job_logs import Find, JobLogs, Span
from coder_enterprise.server.services.provisioner_jobs import ProvisionerJobs
from coder_enterprise.server.services.provisioner_orders import IMPORT
from coder_enterprise.server.services.templates import access_of, changeable, visible
from coder_enterprise.server.services.variables import Variables
from coder_enterprise.server.storage import files, template_versions, templates, users
from coder_enterprise.server.storage import provisioner_jobs as stored_jobs
from coder_enterprise.server.storage.database import Connection, Database, Duplicate
from coder_enterprise.server.storage.template_versions import TemplateVersion as VersionRow
from coder_enterprise.server.storage.templates import Template
from coder_enterprise.wire.provisioner_jobs import PROVISIONERS, ProvisionerJobLog, WorkspaceResource
from coder_enterprise.wire.template_versions import (
    CreateTemplateVersionRequest,
    MinimalUser,
    PatchTemplateVersionRequest,
    TemplateVersion,
    TemplateVersionParameter,
)

MAX_NAME: Final = 32
MAX_MESSAGE: Final = 1048


class TemplateVersions:
    def __init__(self, database: Database, jobs: ProvisionerJobs, logs: JobLogs, variables: Variables) -> None:
        self._variables = variables
        self._database = database
        self._jobs = jobs
        self._logs = logs

    async def create(self, actor: Actor, organization: str, request: CreateTemplateVersionRequest) -> TemplateVersion:
        """Raises `NotFound`, `Forbidden`, `BadRequest`, and `Conflict` for a name that is taken."""
        made = await self._database.write_as(
            actor, lambda connection, actor: _create(connection, actor, organization, request, self._variables)
        )
        await self._jobs.announce(made.organization_id)
        return made

    async def get(self, actor: Actor, reference: str) -> TemplateVersion:
        """Raises `BadRequest` for what is no id, and `NotFound`."""
        version_id = references.uuid_parameter("templateversion", reference)
        return await self._database.read(lambda connection: _one(connection, _seen(connection, actor, version_id)))

    async def by_name(self, actor: Actor, template: str, name: str) -> TemplateVersion:
        """Of the template with that id. Raises `BadRequest` for what is no id, and `NotFound`."""
        template_id = references.uuid_parameter("template", template)

        def work(connection: Connection) -> TemplateVersion:
            return _one(connection, _named(connection, visible(connection, actor, template_id), name))

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
            row = _named(connection, found, name)
            shown = template_versions.before(connection, row) if previous else row
            if shown is None:
                raise NotFound
            return _one(connection, shown)

        return await self._database.read(work)

    async def patch(self, actor: Actor, reference: str, request: PatchTemplateVersionRequest) -> TemplateVersion:
        """Raises `BadRequest`, `NotFound`, `Forbidden`, and `Conflict` for a name that is taken."""
        version_id = references.uuid_parameter("templateversion", reference)
        return await self._database.write_as(
            actor, lambda connection, actor: _patch(connection, actor, version_id, request)
        )

    async def parameters(self, actor: Actor, reference: str) -> list[TemplateVersionParameter]:
        """What workspaces of it are asked for, in the order of the template. Raises like `get`."""
        version_id = references.uuid_parameter("templateversion", reference)
        return await self._database.read(
            lambda connection: [_parameter(item) for item in _seen(connection, actor, version_id).parameters]
        )

    async def require(self, actor: Actor, reference: str) -> None:
        """That the actor may see it. Raises like `get`."""
        version_id = references.uuid_parameter("templateversion", reference)
        await self._database.read(lambda connection: _seen(connection, actor, version_id))

    async def of_template(self, actor: Actor, reference: str) -> list[TemplateVersion]:
        """Oldest first. Raises `BadRequest` for what is no id, and `NotFound`."""
        template_id = references.uuid_parameter("template", reference)

        def work(connection: Connection) -> list[TemplateVersion]:
            template = visible(connection, actor, template_id)
            return _to_wire(connection, template_versions.of_template(connection, template.id))

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
            row = _seen(connection, actor, version_id)
            job = stored_jobs.get(connection, row.job_id)
            if job is None or job.completed_at is None:
                raise BadRequest("The job of this template version has not ended.")
            return provisioner_jobs.resources(job, stored_jobs.resources(connection, [job.id])[job.id])

        return await self._database.read(work)

    async def cancel(self, actor: Actor, reference: str) -> None:
        """Raises `BadRequest` for what is no id, `NotFound`, `Forbidden`, and `PreconditionFailed` after its end."""
        version_id = references.uuid_parameter("templateversion", reference)

        def work(connection: Connection, actor: Actor) -> UUID:
            row = _seen(connection, actor, version_id)
            _require_change(connection, actor, row)
            provisioner_jobs.cancel(connection, row.job_id)
            audit.record(connection, actor.id, "stop", _resource(row))
            return row.job_id

        await self._logs.tell(await self._database.write_as(actor, work))

    async def activate(self, actor: Actor, template: str, version: str) -> None:
        """New workspaces are made of this version. Raises `BadRequest`, `NotFound` and `Forbidden`."""
        template_id = references.uuid_parameter("template", template)
        version_id = names.as_uuid(version)
        if version_id is None:
            raise invalid(id="must be a UUID")
        await self._database.write_as(
            actor, lambda connection, actor: _activate(connection, actor, template_id, version_id)
        )


def usable(connection: Connection, version_id: UUID, template_id: UUID, field: str) -> VersionRow:
    """A version of that template whose job has succeeded. Raises `BadRequest` that names `field`."""
    row = template_versions.get(connection, version_id)
    if row is None or row.template_id != template_id:
        raise invalid(**{field: "is not a version of this template"})
    job = stored_jobs.get(connection, row.job_id)
    state = provisioner_jobs.status(job) if job else "missing"
    if state != "succeeded":
        raise BadRequest(
            f"The template version {row.name!r} is {state}; only one whose job has succeeded can be used.",
            job.error if job else "",
            {field: f"its job is {state}"},
        )
    return row


def _create(
    connection: Connection,
    actor: Actor,
    organization: str,
    request: CreateTemplateVersionRequest,
    variables: Variables,
) -> TemplateVersion:
    home = references.organization(connection, organization)
    template_id = _template_of(connection, actor, home.id, request.template_id)
    file_id = _check(connection, actor, request)
    moment = now()
    version_id = uuid4()
    tags = provisioner_tags.normalized(request.tags, actor.id)
    job_id = provisioner_jobs.new_job(
        connection,
        actor.id,
        home.id,
        IMPORT,
        (file_id, request.provisioner),
        input={"template_version_id": str(version_id)},
        tags=tags,
    )
    values = [{"name": item.name, "value": item.value, "sensitive": False} for item in request.user_variable_values]
    row = VersionRow(
        id=version_id,
        organization_id=home.id,
        template_id=template_id,
        job_id=job_id,
        created_by_id=actor.id,
        name=request.name or f"version-{secrets.token_hex(4)}",
        message=request.message,
        readme="",
        variables=variables.kept(version_id, values),
        parameters=[],
        workspace_tags={},
        created_at=moment,
        updated_at=moment,
    )
    try:
        template_versions.create(connection, row)
    except Duplicate:
        raise _taken(row.name) from None
    audit.record(connection, actor.id, "create", _resource(row), after=_shown(row))
    return _one(connection, row)


def _named(connection: Connection, template: Template, name: str) -> VersionRow:
    """Raises `NotFound`."""
    row = template_versions.by_name(connection, template.id, name)
    if row is None:
        raise NotFound
    return row


def _patch(
    connection: Connection, actor: Actor, version_id: UUID, request: PatchTemplateVersionRequest
) -> TemplateVersion:
    row = _seen(connection, actor, version_id)
    _require_change(connection, actor, row)
    changed = row._replace(
        name=request.name or row.name, message=row.message if request.message is None else request.message
    )
    problems = _text_problems(changed.name, changed.message)
    if problems:
        raise invalid(**problems)
    if changed == row:
        return _one(connection, row)
    changed = changed._replace(updated_at=now())
    values = {name: getattr(changed, name) for name in ("name", "message", "updated_at")}
    try:
        template_versions.update_fields(connection, row.id, values)
    except Duplicate:
        raise _taken(changed.name) from None
    audit.record(connection, actor.id, "write", _resource(changed), before=_shown(row), after=_shown(changed))
    return _one(connection, changed)


def _taken(name: str) -> RequestError:
    return taken(f"The template has a version named {name!r} already.")


def _text_problems(name: str, message: str) -> dict[str, str]:
    """What is wrong with which field."""
    problems: dict[str, str] = {}
    if problem := names.name_problem(name, MAX_NAME):
        problems["name"] = problem
    if len(message) > MAX_MESSAGE:
        problems["message"] = f"must have at most {MAX_MESSAGE} characters"
    return problems


def _parameter(item: Mapping[str, Any]) -> TemplateVersionParameter:
    """Versions that an older server imported say only what a build needs."""
    made = TemplateVersionParameter.model_validate(item)
    made.description_plaintext = made.description
    made.form_type = _form(made)
    return made


def _form(item: TemplateVersionParameter) -> str:
    """How it is asked for where the template does not say; so it is in Coder."""
    if item.options:
        return "radio"
    return {"bool": "checkbox", "list(string)": "tag-select"}.get(item.type, "input")


def _template_of(connection: Connection, actor: Actor, organization_id: UUID, text: str) -> UUID | None:
    """Raises `BadRequest`, `NotFound` and `Forbidden`."""
    if not text:
        access.require(actor, Action.CREATE, Subject(Kind.TEMPLATE_VERSION))
        return None
    template_id = names.as_uuid(text)
    if template_id is None:
        raise invalid(template_id="must be a UUID")
    template = changeable(connection, actor, template_id)
    if template.organization_id != organization_id:
        raise invalid(template_id="is in another organization")
    return template.id


def _check(connection: Connection, actor: Actor, request: CreateTemplateVersionRequest) -> UUID:
    """The file. Raises `BadRequest`."""
    provisioner_tags.check(request.tags)
    problems = _text_problems(request.name or "any", request.message)
    if request.storage_method != "file":
        problems["storage_method"] = "must be file"
    if request.provisioner not in PROVISIONERS:
        problems["provisioner"] = f"must be one of {', '.join(PROVISIONERS)}"
    variables = [value.name for value in request.user_variable_values]
    if len(set(variables)) < len(variables):
        problems["user_variable_values"] = "no name may come twice"
    file_id = names.as_uuid(request.file_id)
    if file_id is None:
        problems["file_id"] = "is required and must be a UUID"
    elif not _sees_file(connection, actor, file_id):
        problems["file_id"] = "there is no such file"
    if problems or file_id is None:
        raise invalid(**problems)
    return file_id


def _sees_file(connection: Connection, actor: Actor, file_id: UUID) -> bool:
    owner_id = files.owner(connection, file_id)
    return owner_id is not None and access.sees(actor, Subject(Kind.FILE, owner_id))


def _activate(connection: Connection, actor: Actor, template_id: UUID, version_id: UUID) -> None:
    template = changeable(connection, actor, template_id)
    version = usable(connection, version_id, template.id, "id")
    if version.id == template.active_version_id:
        return
    templates.update_fields(connection, template.id, {"active_version_id": version.id, "updated_at": now()})
    audit.record(
        connection,
        actor.id,
        "write",
        ("template", template.id, template.name),
        before={"active_version_id": str(template.active_version_id)},
        after={"active_version_id": str(version.id)},
    )


def _job_of(reference: str) -> Find:
    """Raises `BadRequest` for what is no id."""
    version_id = references.uuid_parameter("templateversion", reference)
    return lambda connection, actor: _seen(connection, actor, version_id).job_id


def _seen(connection: Connection, actor: Actor, version_id: UUID) -> VersionRow:
    """Raises `NotFound`."""
    row = template_versions.get(connection, version_id)
    if row is None:
        raise NotFound
    if row.template_id is not None:
        visible(connection, actor, row.template_id)
    elif not access.sees(actor, Subject(Kind.TEMPLATE_VERSION, row.created_by_id)):
        raise NotFound
    return row


def _require_change(connection: Connection, actor: Actor, row: VersionRow) -> None:
    """Raises `Forbidden`."""
    if row.template_id is not None:
        changeable(connection, actor, row.template_id)
    else:
        access.require(actor, Action.UPDATE, Subject(Kind.TEMPLATE_VERSION, row.created_by_id))


def _resource(row: VersionRow) -> tuple[str, object, str]:
    return "template_version", row.id, row.name


def _shown(row: VersionRow) -> dict[str, object]:
    return {
        "name": row.name,
        "message": row.message,
        "template_id": str(row.template_id or ""),
        "job_id": str(row.job_id),
    }


def _one(connection: Connection, row: VersionRow) -> TemplateVersion:
    return _to_wire(connection, [row])[0]


def _to_wire(connection: Connection, rows: Sequence[VersionRow]) -> list[TemplateVersion]:
    jobs = stored_jobs.shown(connection, [row.job_id for row in rows])
    makers = {user.id: user for user in users.by_ids(connection, {row.created_by_id for row in rows})}
    return [
        TemplateVersion.model_construct(
            id=row.id,
            template_id=row.template_id,
            organization_id=row.organization_id,
            created_at=row.created_at,
            updated_at=row.updated_at,
            name=row.name,
            message=row.message,
            job=provisioner_jobs.to_wire(jobs[row.job_id]),
            readme=row.readme,
            created_by=_minimal(makers[row.created_by_id]),
        )
        for row in rows
    ]


def _minimal(user: users.User) -> MinimalUser:
    return MinimalUser.model_construct(id=user.id, username=user.username, name=user.name, avatar_url=user.avatar_url)
