"""Builds: what starts, stops and deletes workspaces. Each has a job, and one at a time is at work."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from typing import Final, get_args
from uuid import UUID, uuid4

from coder_enterprise.server import access, names
from coder_enterprise.server.access import Action, Actor, Kind, Subject, Whom
from coder_enterprise.server.errors import Conflict, Forbidden, NotFound, invalid
from coder_enterprise.server.services import audit, provisioner_jobs, provisioner_tags, references
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.job_logs import Find, JobLogs, Span
from coder_enterprise.server.services.provisioner_jobs import ProvisionerJobs
from coder_enterprise.server.services.provisioner_orders import BUILD
from coder_enterprise.server.services.template_versions import usable
from coder_enterprise.server.services.templates import access_of, may_change
from coder_enterprise.server.services.users import Page
from coder_enterprise.server.storage import provisioner_jobs as stored_jobs
from coder_enterprise.server.storage import templates, workspace_builds, workspaces
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.server.storage.template_versions import TemplateVersion
from coder_enterprise.server.storage.workspace_builds import Build as BuildRow
from coder_enterprise.server.storage.workspaces import Workspace
from coder_enterprise.wire.provisioner_jobs import JobStatus, ProvisionerJobLog
from coder_enterprise.wire.workspaces import (
    CreateWorkspaceBuildRequest,
    ParameterValue,
    Transition,
    WorkspaceBuild,
    WorkspaceStatus,
)

TRANSITIONS: Final[tuple[str, ...]] = get_args(Transition)
_DOING: Final[Mapping[str, tuple[WorkspaceStatus, WorkspaceStatus]]] = {
    "start": ("starting", "running"),
    "stop": ("stopping", "stopped"),
    "delete": ("deleting", "deleted"),
}


class WorkspaceBuilds:
    def __init__(self, database: Database, jobs: ProvisionerJobs, logs: JobLogs) -> None:
        self._database = database
        self._jobs = jobs
        self._logs = logs

    async def create(self, actor: Actor, workspace: str, request: CreateWorkspaceBuildRequest) -> WorkspaceBuild:
        """Raises `BadRequest`, `NotFound`, `Forbidden`, and `Conflict` while the last build is not over."""
        workspace_id = references.uuid_parameter("workspace", workspace)

        def work(connection: Connection, actor: Actor) -> tuple[UUID, WorkspaceBuild]:
            home = changeable(connection, actor, workspace_id)
            made = _create(connection, actor, home, request)
            return home.organization_id, to_wire(connection, [(home, made)])[0]

        organization_id, made = await self._database.write_as(actor, work)
        await self._jobs.announce(organization_id)
        return made

    async def of_workspace(self, actor: Actor, workspace: str, page: Page) -> list[WorkspaceBuild]:
        """Newest first. Raises `BadRequest` for what is no id, and `NotFound`."""
        workspace_id = references.uuid_parameter("workspace", workspace)

        def work(connection: Connection) -> list[WorkspaceBuild]:
            home = visible(connection, actor, workspace_id)
            rows = workspace_builds.of_workspace(connection, home.id, page.limit, page.offset)
            return to_wire(connection, [(home, row) for row in rows])

        return await self._database.read(work)

    async def by_number(self, actor: Actor, user: str, name: str, number: int) -> WorkspaceBuild:
        """Raises `BadRequest` for the user, and `NotFound`."""

        def work(connection: Connection) -> WorkspaceBuild:
            home = named(connection, actor, user, name)
            row = workspace_builds.by_number(connection, home.id, number)
            if row is None:
                raise NotFound
            return to_wire(connection, [(home, row)])[0]

        return await self._database.read(work)

    async def get(self, actor: Actor, reference: str) -> WorkspaceBuild:
        """Raises `BadRequest` for what is no id, and `NotFound`."""
        build_id = references.uuid_parameter("workspacebuild", reference)
        return await self._database.read(
            lambda connection: to_wire(connection, [_seen(connection, actor, build_id)])[0]
        )

    async def logs(self, actor: Actor, reference: str, span: Span) -> list[ProvisionerJobLog]:
        """Like `get`."""
        return await self._logs.read(actor, _job_of(reference), span)

    def follow(self, actor: Actor, reference: str, span: Span) -> AsyncGenerator[list[ProvisionerJobLog], None]:
        """What there is of the logs, and what comes. Raises like `get`, and as `JobLogs.follow` does."""
        return self._logs.follow(actor, _job_of(reference), span)

    async def cancel(self, actor: Actor, reference: str) -> None:
        """Raises `BadRequest` for what is no id, `NotFound`, `Forbidden`, and `PreconditionFailed` after its end."""
        build_id = references.uuid_parameter("workspacebuild", reference)

        def work(connection: Connection, actor: Actor) -> UUID:
            workspace, build = _seen(connection, actor, build_id)
            access.require(actor, Action.UPDATE, _of(workspace))
            is_allowed = workspace.template_settings.get("allow_user_cancel_workspace_jobs", True)
            ties = frozenset({Whom.SHARED} if is_allowed else ())
            if not access.may(actor, Action.CANCEL, Subject(Kind.WORKSPACE_BUILD, workspace.owner_id, ties=ties)):
                raise Forbidden("The template does not let users cancel builds of workspaces.", "Ask an owner to.")
            provisioner_jobs.cancel(connection, build.job_id)
            audit.record(connection, actor.id, "stop", ("workspace_build", build.id, workspace.name))
            return build.job_id

        await self._logs.tell(await self._database.write_as(actor, work))


def visible(connection: Connection, actor: Actor, workspace_id: UUID) -> Workspace:
    """Raises `NotFound`."""
    row = _readable(connection, actor, workspace_id)
    if row.deleted:
        raise NotFound
    return row


def named(connection: Connection, actor: Actor, user: str, name: str, *, deleted: bool = False) -> Workspace:
    """The user's workspace; with `deleted` also one that is not there any more.

    Raises `BadRequest` for the user, and `NotFound`.
    """
    owner = references.user(connection, actor, user)
    row = workspaces.by_name(connection, owner.id, name)
    if row is None or not access.sees(actor, _of(row)) or (row.deleted and not deleted):
        raise NotFound
    return row


def changeable(connection: Connection, actor: Actor, workspace_id: UUID) -> Workspace:
    """Raises `NotFound`, and `Forbidden` for one who may only read."""
    row = visible(connection, actor, workspace_id)
    access.require(actor, Action.UPDATE, _of(row))
    return row


def _of(row: Workspace) -> Subject:
    return Subject(Kind.WORKSPACE, row.owner_id)


def add_build(
    connection: Connection,
    actor: Actor,
    workspace: Workspace,
    version: TemplateVersion,
    transition: str,
    sent: Iterable[ParameterValue],
) -> BuildRow:
    """After the last one, with its state and its parameters. `announce` must follow.

    Raises `BadRequest` for parameters, and `Conflict` while the last build is not over.
    """
    last = workspace_builds.latest(connection, [workspace.id]).get(workspace.id)
    if last is not None:
        _require_over(connection, last)
    parameters = _parameters(version, last.parameters if last else {}, sent, is_start=transition == "start")
    build_id, moment = uuid4(), now()
    job_id = _new_job(connection, actor, workspace, version, build_id)
    row = BuildRow(
        id=build_id,
        workspace_id=workspace.id,
        template_version_id=version.id,
        job_id=job_id,
        initiator_id=actor.id,
        build_number=last.build_number + 1 if last else 1,
        transition=transition,
        daily_cost=0,
        parameters=parameters,
        created_at=moment,
        updated_at=moment,
        template_version_name=version.name,
        initiator_name=actor.username,
    )
    workspace_builds.create(connection, row, workspace_builds.state(connection, last.id) if last else b"")
    return row


def to_wire(connection: Connection, rows: Sequence[tuple[Workspace, BuildRow]]) -> list[WorkspaceBuild]:
    job_ids = [build.job_id for _, build in rows]
    jobs = stored_jobs.shown(connection, job_ids)
    found = stored_jobs.resources(connection, job_ids)
    return [
        WorkspaceBuild.model_construct(
            id=build.id,
            created_at=build.created_at,
            updated_at=build.updated_at,
            workspace_id=workspace.id,
            workspace_name=workspace.name,
            workspace_owner_id=workspace.owner_id,
            workspace_owner_name=workspace.owner_name,
            workspace_owner_avatar_url=workspace.owner_avatar_url,
            template_version_id=build.template_version_id,
            template_version_name=build.template_version_name,
            build_number=build.build_number,
            transition=build.transition,  # type: ignore[arg-type]
            initiator_id=build.initiator_id,
            initiator_name=build.initiator_name,
            job=provisioner_jobs.to_wire(jobs[build.job_id]),
            resources=provisioner_jobs.resources(jobs[build.job_id].job, found[build.job_id]),
            status=_status(provisioner_jobs.status(jobs[build.job_id].job), build.transition),
            daily_cost=build.daily_cost,
        )
        for workspace, build in rows
    ]


def _create(
    connection: Connection, actor: Actor, workspace: Workspace, request: CreateWorkspaceBuildRequest
) -> BuildRow:
    if request.transition not in TRANSITIONS:
        raise invalid(transition=f"must be one of {', '.join(TRANSITIONS)}")
    last = workspace_builds.latest(connection, [workspace.id])[workspace.id]
    wanted = names.as_uuid(request.template_version_id) if request.template_version_id else last.template_version_id
    if wanted is None:
        raise invalid(template_version_id="must be a UUID")
    version = usable(connection, wanted, workspace.template_id, "template_version_id")
    if request.transition == "start":
        _require_choice(connection, actor, workspace, version)
    made = add_build(connection, actor, workspace, version, request.transition, request.rich_parameter_values)
    audit.record(connection, actor.id, request.transition, ("workspace_build", made.id, workspace.name))
    return made


def _require_choice(connection: Connection, actor: Actor, workspace: Workspace, version: TemplateVersion) -> None:
    """Some templates let only those who may change them start another version than the active one.

    Raises `Forbidden`.
    """
    is_free = not workspace.template_settings.get("require_active_version")
    if is_free or version.id == workspace.template_active_version_id:
        return
    template = templates.get(connection, workspace.template_id, access_of(actor))
    if template is None or not may_change(actor, template):
        raise Forbidden(
            "The template requires its active version.", "Start the workspace with the template's active_version_id."
        )


def _job_of(reference: str) -> Find:
    """Raises `BadRequest` for what is no id."""
    build_id = references.uuid_parameter("workspacebuild", reference)
    return lambda connection, actor: _seen(connection, actor, build_id)[1].job_id


def _seen(connection: Connection, actor: Actor, build_id: UUID) -> tuple[Workspace, BuildRow]:
    """Raises `NotFound`."""
    build = workspace_builds.get(connection, build_id)
    if build is None:
        raise NotFound
    return _readable(connection, actor, build.workspace_id), build


def _readable(connection: Connection, actor: Actor, workspace_id: UUID) -> Workspace:
    """Also one that is deleted. Raises `NotFound`."""
    row = workspaces.get(connection, workspace_id)
    if row is None or not access.sees(actor, _of(row)):
        raise NotFound
    return row


def _require_over(connection: Connection, build: BuildRow) -> None:
    job = stored_jobs.get(connection, build.job_id)
    if job is not None and job.completed_at is None:
        raise Conflict("A workspace build is already active.", "Wait until it is over, or cancel it.")


def _new_job(
    connection: Connection, actor: Actor, workspace: Workspace, version: TemplateVersion, build_id: UUID
) -> UUID:
    """The daemon must have the tags that the template version was made with; a user's daemon is the owner's."""
    made = stored_jobs.get(connection, version.job_id)
    if made is None:
        raise AssertionError("jobs are never deleted")
    return provisioner_jobs.new_job(
        connection,
        actor.id,
        workspace.organization_id,
        BUILD,
        (made.file_id, made.provisioner),
        input={"workspace_build_id": str(build_id)},
        tags=provisioner_tags.normalized({**made.tags, **version.workspace_tags}, workspace.owner_id),
    )


def _parameters(
    version: TemplateVersion, before: Mapping[str, str], sent: Iterable[ParameterValue], *, is_start: bool
) -> dict[str, str]:
    """Those of the version, as they were sent, else as they were before, else their defaults. Raises `BadRequest`."""
    given = {value.name: value.value for value in sent}
    known = {str(parameter["name"]): parameter for parameter in version.parameters}
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise invalid(rich_parameter_values=f"{unknown[0]!r} is not a parameter of this template version")
    values: dict[str, str] = {}
    for name, parameter in known.items():
        if name in given and name in before and given[name] != before[name] and not parameter["mutable"]:
            raise invalid(rich_parameter_values=f"{name!r} cannot be changed after the workspace was created")
        kept = {} if parameter["ephemeral"] else before
        if name in given or name in kept or not parameter["required"]:
            values[name] = given.get(name, kept.get(name, parameter["default_value"]))
        elif is_start:
            raise invalid(rich_parameter_values=f"{name!r} needs a value")
    return values


def _status(job: JobStatus, transition: str) -> WorkspaceStatus:
    if job == "running":
        return _DOING[transition][0]
    if job == "succeeded":
        return _DOING[transition][1]
    return job
