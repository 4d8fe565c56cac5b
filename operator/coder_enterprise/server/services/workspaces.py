"""Workspaces: made of a template that the user sees, and theirs alone but for those who see all."""

from __future__ import annotations

from typing import Final
from uuid import UUID, uuid4

from coder_enterprise.server import access, names
from coder_enterprise.server.access import Action, Actor, Kind, Subject
from coder_enterprise.server.errors import Gone, NotFound, invalid, taken
from coder_enterprise.server.services import (
    audit,
    new_builds,
    references,
    workspace_access,
    workspace_search,
    workspace_times,
    workspace_views,
)
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.paging import Page
from coder_enterprise.server.services.provisioning.job_queue import JobQueue
from coder_enterprise.server.services.template_access import may_change
from coder_enterprise.server.services.template_access import visible as visible_template
from coder_enterprise.server.services.template_version_access import usable
from coder_enterprise.server.storage import organizations, template_versions, workspaces
from coder_enterprise.server.storage.database import Connection, Database, Duplicate
from coder_enterprise.server.storage.template_versions import TemplateVersion
from coder_enterprise.server.storage.templates import Template
from coder_enterprise.server.storage.users import User
from coder_enterprise.server.storage.workspaces import Workspace as WorkspaceRow
from coder_enterprise.wire.workspaces import CreateWorkspaceRequest, Workspace, WorkspacesResponse

MAX_NAME: Final = 32

_NO_VERSION: Final = UUID(int=0)


class Workspaces:
    def __init__(self, database: Database, jobs: JobQueue) -> None:
        self._database = database
        self._jobs = jobs

    async def create(
        self, actor: Actor, organization: str | None, user: str, request: CreateWorkspaceRequest
    ) -> Workspace:
        """With its first build; without an organization, in its template's.

        Raises `NotFound`, `BadRequest`, `Forbidden`, and `Conflict` for the name.
        """
        made = await self._database.write_as(
            actor, lambda connection, actor: _create(connection, actor, organization, user, request)
        )
        await self._jobs.announce(made.organization_id)
        return made

    async def get(self, actor: Actor, reference: str, *, deleted: bool) -> Workspace:
        """With `deleted` also one that is not there any more.

        Raises `BadRequest` for what is no id, `NotFound`, and `Gone`.
        """
        workspace_id = references.uuid_parameter("workspace", reference)

        def work(connection: Connection) -> Workspace:
            row = workspace_access.readable(connection, actor, workspace_id)
            if row.deleted and not deleted:
                raise Gone(f"Workspace {row.name!r} was deleted.", "Ask with include_deleted=true to see it.")
            return workspace_views.one(connection, row)

        return await self._database.read(work)

    async def by_name(self, actor: Actor, user: str, name: str, *, deleted: bool) -> Workspace:
        """With `deleted` also one that is not there any more. Raises `BadRequest` for the user, and `NotFound`."""
        return await self._database.read(
            lambda connection: workspace_views.one(
                connection, workspace_access.named(connection, actor, user, name, deleted=deleted)
            )
        )

    async def list(self, actor: Actor, query: str, page: Page) -> WorkspacesResponse:
        """Those that the actor may see, by owner and name. Raises `BadRequest` for a query that cannot be read."""

        def work(connection: Connection) -> WorkspacesResponse:
            which = workspace_search.parse_query(connection, actor, query)
            rows = workspaces.page(connection, which, page.limit, page.offset)
            return WorkspacesResponse.model_construct(
                workspaces=workspace_views.to_wire(connection, rows), count=workspaces.count(connection, which)
            )

        return await self._database.read(work)


def _create(
    connection: Connection, actor: Actor, organization: str | None, user: str, request: CreateWorkspaceRequest
) -> Workspace:
    home_id = references.organization(connection, organization).id if organization is not None else None
    owner = references.user(connection, actor, user)
    access.require(actor, Action.CREATE, Subject(Kind.WORKSPACE, owner.id))
    if home_id is not None:
        _require_member(connection, home_id, owner)
    template, version = _source(connection, actor, home_id, request)
    _require_member(connection, template.organization_id, owner)
    if problem := names.name_problem(request.name, MAX_NAME):
        raise invalid(name=problem)
    row = _row(owner, template, request)
    try:
        workspaces.create(connection, row)
    except Duplicate:
        raise taken(f"Workspace {request.name!r} already exists.") from None
    new_builds.add_build(connection, actor, row, version, "start", request)
    audit.record(
        connection,
        actor.id,
        "create",
        ("workspace", row.id, row.name),
        after={"template_id": str(template.id)},
        organization_id=row.organization_id,
    )
    return workspace_views.one(connection, row)


def _require_member(connection: Connection, organization_id: UUID, owner: User) -> None:
    """Raises `NotFound`."""
    if not organizations.members_among(connection, organization_id, [owner.id]):
        raise NotFound


def _source(
    connection: Connection, actor: Actor, organization_id: UUID | None, request: CreateWorkspaceRequest
) -> tuple[Template, TemplateVersion]:
    """What the workspace is made of. Raises `BadRequest`; a template that the actor does not see is not there."""
    field = "template_version_id" if request.template_version_id else "template_id"
    if request.template_version_id and request.template_id:
        raise invalid(template_version_id="send either this or template_id")
    reference = names.as_uuid(getattr(request, field))
    if reference is None:
        raise invalid(**{field: "is required and must be a UUID"})
    version = template_versions.get(connection, reference) if request.template_version_id else None
    template_id = version.template_id if version else reference
    template = _seen_template(connection, actor, template_id) if version or field == "template_id" else None
    if template is None or organization_id not in (None, template.organization_id):
        raise invalid(**{field: "there is no such template"})
    if template.settings.get("deprecation_message"):
        raise invalid(**{field: f"the template is deprecated: {template.settings['deprecation_message']}"})
    chosen = version.id if version else template.active_version_id
    if chosen == _NO_VERSION:
        raise invalid(**{field: "the template has no version; make one active first"})
    if chosen != template.active_version_id and not may_choose(actor, template):
        raise invalid(**{field: "the template requires its active version"})
    return template, usable(connection, chosen, template.id, field)


def may_choose(actor: Actor, template: Template) -> bool:
    """Whether the actor may take a version that is not the active one."""
    return not template.settings.get("require_active_version") or may_change(actor, template)


def _seen_template(connection: Connection, actor: Actor, template_id: UUID | None) -> Template | None:
    try:
        return visible_template(connection, actor, template_id) if template_id else None
    except NotFound:
        return None


def _row(owner: User, template: Template, request: CreateWorkspaceRequest) -> WorkspaceRow:
    """Raises `BadRequest` for the times at which it is to start and to stop."""
    moment = now()
    return WorkspaceRow(
        id=uuid4(),
        organization_id=template.organization_id,
        owner_id=owner.id,
        template_id=template.id,
        name=request.name,
        created_at=moment,
        updated_at=moment,
        autostart_schedule=workspace_times.autostart(
            request.autostart_schedule, template.settings, "autostart_schedule"
        ),
        ttl_ms=workspace_times.ttl(request.ttl_ms, template.settings),
        dormant_at=None,
        organization_name=template.organization_name,
        owner_name=owner.username,
        owner_avatar_url=owner.avatar_url,
        template_name=template.name,
        template_display_name=template.display_name,
        template_icon=template.icon,
        template_active_version_id=template.active_version_id,
        template_settings=template.settings,
        deleted=False,
    )
