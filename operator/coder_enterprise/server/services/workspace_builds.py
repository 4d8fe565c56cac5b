"""Builds: what starts, stops and deletes workspaces. Each has a job, and one at a time is at work."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final
from uuid import UUID

from coder_enterprise.server import access, names, scopes
from coder_enterprise.server.access import Action, Actor, Kind, Subject, Whom
from coder_enterprise.server.errors import Forbidden, NotFound, PreconditionFailed, bad_query, invalid
from coder_enterprise.server.services import audit, references
from coder_enterprise.server.services.build_views import TRANSITIONS, to_wire
from coder_enterprise.server.services.new_builds import add_build
from coder_enterprise.server.services.paging import Page, nothing_after
from coder_enterprise.server.services.provisioning import job_views
from coder_enterprise.server.services.provisioning.job_course import cancel as cancel_job
from coder_enterprise.server.services.provisioning.job_logs import Find, JobLogs, Span
from coder_enterprise.server.services.provisioning.job_queue import JobQueue
from coder_enterprise.server.services.template_access import access_of, may_change
from coder_enterprise.server.services.template_version_access import usable
from coder_enterprise.server.services.workspace_access import changeable, named, readable, subject_of, visible
from coder_enterprise.server.storage import templates, workspace_builds
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.server.storage.provisioning import provisioner_jobs
from coder_enterprise.server.storage.template_versions import TemplateVersion
from coder_enterprise.server.storage.workspace_builds import Build as BuildRow
from coder_enterprise.server.storage.workspaces import Workspace
from coder_enterprise.wire.provisioner_jobs import ProvisionerJobLog
from coder_enterprise.wire.workspaces import CreateWorkspaceBuildRequest, ParameterValue, WorkspaceBuild

NOT_DONE: Final = ("dry_run", "state", "orphan", "log_level")
"""What Coder can be asked for with a build, and this server would have to leave out."""
CANCELABLE: Final = ("pending", "running")


class WorkspaceBuilds:
    def __init__(self, database: Database, jobs: JobQueue, logs: JobLogs) -> None:
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
        """Newest first; as in Coder, those after one are those that are newer.

        Raises `BadRequest` for what is no id and for a page after no build, and `NotFound`.
        """
        workspace_id = references.uuid_parameter("workspace", workspace)

        def work(connection: Connection) -> list[WorkspaceBuild]:
            home = visible(connection, actor, workspace_id)
            after = workspace_builds.get(connection, page.after_id) if page.after_id else None
            if page.after_id and (after is None or after.workspace_id != home.id):
                raise nothing_after(page.after_id)
            newer_than = after.build_number if after else 0
            rows = workspace_builds.of_workspace(connection, home.id, page.limit, page.offset, newer_than)
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

    async def parameters(self, actor: Actor, reference: str) -> list[ParameterValue]:
        """What the build was given. Raises like `get`."""
        build_id = references.uuid_parameter("workspacebuild", reference)
        _, build = await self._database.read(lambda connection: _seen(connection, actor, build_id))
        return [ParameterValue(name=name, value=value) for name, value in build.parameters.items()]

    async def logs(self, actor: Actor, reference: str, span: Span) -> list[ProvisionerJobLog]:
        """Like `get`."""
        return await self._logs.read(actor, _job_of(reference), span)

    def follow(self, actor: Actor, reference: str, span: Span) -> AsyncGenerator[list[ProvisionerJobLog], None]:
        """What there is of the logs, and what comes. Raises like `get`, and as `JobLogs.follow` does."""
        return self._logs.follow(actor, _job_of(reference), span)

    async def cancel(self, actor: Actor, reference: str, expected: str) -> None:
        """With `expected` only while it has that status.

        Raises `BadRequest` for what is no id, no such status, and after its end; `NotFound`, `Forbidden`, and
        `PreconditionFailed` in another status than the expected one.
        """
        build_id = references.uuid_parameter("workspacebuild", reference)
        if expected and expected not in CANCELABLE:
            raise bad_query(expect_status=f"must be one of {', '.join(CANCELABLE)}")

        def work(connection: Connection, actor: Actor) -> UUID:
            workspace, build = _seen(connection, actor, build_id)
            access.require(actor, Action.UPDATE, subject_of(workspace))
            is_allowed = workspace.template_settings.get("allow_user_cancel_workspace_jobs", True)
            ties = frozenset({Whom.SHARED} if is_allowed else ())
            if not access.may(actor, Action.CANCEL, Subject(Kind.WORKSPACE_BUILD, workspace.owner_id, ties=ties)):
                raise Forbidden("The template does not let users cancel builds of workspaces.", "Ask an owner to.")
            _cancel(connection, build.job_id, expected)
            _audit(connection, actor, "stop", workspace, build)
            return build.job_id

        await self._logs.tell(await self._database.write_as(actor, work))


def _create(
    connection: Connection, actor: Actor, workspace: Workspace, request: CreateWorkspaceBuildRequest
) -> BuildRow:
    if request.transition not in TRANSITIONS:
        raise invalid(transition=f"must be one of {', '.join(TRANSITIONS)}")
    scopes.require(actor.scopes, frozenset({f"workspace:{request.transition}"}))
    if asked := [name for name in NOT_DONE if getattr(request, name)]:
        raise invalid(**dict.fromkeys(asked, "is not served here"))
    last = workspace_builds.latest(connection, [workspace.id])[workspace.id]
    wanted = names.as_uuid(request.template_version_id) if request.template_version_id else last.template_version_id
    if wanted is None:
        raise invalid(template_version_id="must be a UUID")
    version = usable(connection, wanted, workspace.template_id, "template_version_id")
    if request.transition == "start":
        _require_awake(workspace)
        _require_choice(connection, actor, workspace, version)
    made = add_build(connection, actor, workspace, version, request.transition, request)
    _audit(connection, actor, request.transition, workspace, made)
    return made


def _cancel(connection: Connection, job_id: UUID, expected: str) -> None:
    """Raises `BadRequest` after its end, and `PreconditionFailed`."""
    job = provisioner_jobs.get(connection, job_id)
    if job is not None and expected and job_views.status(job) in {*CANCELABLE} - {expected}:
        raise PreconditionFailed(f"The build is {job_views.status(job)}, not {expected}.")
    cancel_job(connection, job_id)


def _audit(connection: Connection, actor: Actor, action: str, workspace: Workspace, build: BuildRow) -> None:
    resource = ("workspace_build", build.id, workspace.name)
    audit.record(connection, actor.id, action, resource, organization_id=workspace.organization_id)


def _require_awake(workspace: Workspace) -> None:
    """Raises `Forbidden`: nobody starts what is dormant; so it is in Coder."""
    if workspace.dormant_at is not None:
        raise Forbidden(
            f"Workspace {workspace.name!r} is dormant.", "Wake it: PUT /workspaces/{workspace}/dormant, dormant false."
        )


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
    return readable(connection, actor, build.workspace_id), build
