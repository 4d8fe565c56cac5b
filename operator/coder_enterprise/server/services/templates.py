"""Templates: made, changed, listed and deleted.

Who may do what is `template_access`, what may be in their fields `template_settings`. Versions, permissions and
workspaces have services of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID, uuid4

from coder_enterprise.server import access, names
from coder_enterprise.server.access import Action, Actor
from coder_enterprise.server.errors import BadRequest, NotFound, RequestError, invalid, taken
from coder_enterprise.server.services import audit, references, search
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.entitlements import Entitlements, Feature
from coder_enterprise.server.services.template_access import TEMPLATES, access_of, changeable, visible
from coder_enterprise.server.services.template_settings import merged, problems_of, read
from coder_enterprise.server.storage import organizations, template_acls, template_versions, templates, workspaces
from coder_enterprise.server.storage.database import Connection, Database, Duplicate
from coder_enterprise.server.storage.templates import Template as TemplateRow
from coder_enterprise.wire.templates import (
    CreateTemplateRequest,
    PatchTemplateRequest,
    Template,
    TemplateRequest,
    TemplateSettings,
)

UNRESTRICTED: Final = "public"
"""What holds without a licence for `control_shared_ports`, as in Coder."""

_TEXTS: Final = ("name", "display_name", "description", "icon")
_KEYS: Final = ("organization", "name", "exact_name", "deprecated", "author")
_NO_VERSION: Final = UUID(int=0)


class Templates:
    def __init__(self, database: Database, entitlements: Entitlements) -> None:
        self._database = database
        self._entitlements = entitlements

    async def find(self, actor: Actor, query: str) -> list[Template]:
        """Those of all organizations that the actor may see. Raises `BadRequest` for a query that cannot be read."""
        values = search.parse(query, _KEYS)
        if values.get("author") == references.ME:
            values["author"] = actor.username.lower()
        deprecated = search.boolean("deprecated", values.get("deprecated"))

        def work(connection: Connection) -> list[Template]:
            if (wanted := values.get("organization")) is not None:
                homes = [references.organization(connection, wanted)]
            else:
                homes = organizations.all_of(connection)
            rows = [row for home in homes for row in templates.of_organization(connection, home.id, access_of(actor))]
            return [self._to_wire(row) for row in rows if _matches(row, values, deprecated)]

        return await self._database.read(work)

    async def list(self, actor: Actor, organization: str) -> list[Template]:
        """All that the actor may see, by name. Raises `NotFound` for the organization."""

        def work(connection: Connection) -> list[Template]:
            home = references.organization(connection, organization)
            rows = templates.of_organization(connection, home.id, access_of(actor))
            return [self._to_wire(row) for row in rows]

        return await self._database.read(work)

    async def by_name(self, actor: Actor, organization: str, name: str) -> Template:
        """Raises `NotFound`."""

        def work(connection: Connection) -> Template:
            home = references.organization(connection, organization)
            row = templates.by_name(connection, home.id, name, access_of(actor))
            if row is None:
                raise NotFound
            return self._to_wire(row)

        return await self._database.read(work)

    async def get(self, actor: Actor, reference: str) -> Template:
        """Raises `BadRequest` for what is no id, and `NotFound`."""
        template_id = references.uuid_parameter("template", reference)
        return await self._database.read(lambda connection: self._to_wire(visible(connection, actor, template_id)))

    async def create(self, actor: Actor, organization: str, request: CreateTemplateRequest) -> Template:
        """Raises `NotFound`, `Forbidden`, `BadRequest`, and `Conflict` for a name that is taken."""
        self._require_shared_ports(request)
        return await self._database.write_as(
            actor, lambda connection, actor: self._to_wire(_create(connection, actor, organization, request))
        )

    async def patch(self, actor: Actor, reference: str, request: PatchTemplateRequest) -> Template:
        """Raises `NotFound`, `Forbidden`, `BadRequest`, and `Conflict` for a name that is taken."""
        template_id = references.uuid_parameter("template", reference)
        self._require_shared_ports(request)
        return await self._database.write_as(
            actor, lambda connection, actor: self._to_wire(_patch(connection, actor, template_id, request))
        )

    async def delete(self, actor: Actor, reference: str) -> None:
        """Raises `NotFound` and `Forbidden`."""
        template_id = references.uuid_parameter("template", reference)
        await self._database.write_as(actor, lambda connection, actor: _delete(connection, actor, template_id))

    def _require_shared_ports(self, request: TemplateRequest) -> None:
        """Raises `BadRequest` for a limit that only a licence can keep; clients send the one that they have read."""
        level = request.max_port_share_level
        if level not in (None, UNRESTRICTED) and not self._entitlements.enabled(Feature.CONTROL_SHARED_PORTS):
            raise invalid(
                max_port_share_level=f"only {UNRESTRICTED} without a licence for {Feature.CONTROL_SHARED_PORTS}"
            )

    def _to_wire(self, row: TemplateRow) -> Template:
        shown = _to_wire(row)
        if not self._entitlements.enabled(Feature.CONTROL_SHARED_PORTS):
            shown.max_port_share_level = UNRESTRICTED
        return shown


def _matches(row: TemplateRow, values: Mapping[str, str], deprecated: bool | None) -> bool:
    name = row.name.lower()
    author = row.created_by_name.lower()
    part = values.get("name") or values.get(search.FREE, "")
    is_deprecated = bool(row.settings.get("deprecation_message"))
    return (
        part in name
        and values.get("exact_name", name) == name
        and values.get("author", author) == author
        and deprecated in (None, is_deprecated)
    )


def _create(connection: Connection, actor: Actor, reference: str, request: CreateTemplateRequest) -> TemplateRow:
    organization = references.organization(connection, reference)
    access.require(actor, Action.CREATE, TEMPLATES)
    version = names.as_uuid(request.template_version_id) if request.template_version_id else _NO_VERSION
    sent = read(request.model_dump(exclude_none=True))
    problems = problems_of(sent)
    if version is None:
        problems["template_version_id"] = "must be a UUID"
    if problems or version is None:
        raise invalid(**problems)
    moment = now()
    row = TemplateRow(
        id=uuid4(),
        organization_id=organization.id,
        name=request.name,
        display_name=request.display_name or "",
        description=request.description or "",
        icon=request.icon or "",
        active_version_id=version,
        settings=merged({}, sent),
        created_by_id=actor.id,
        created_at=moment,
        updated_at=moment,
        organization_name=organization.name,
        organization_display_name=organization.display_name,
        created_by_name=actor.username,
        administered=False,
    )
    try:
        templates.create(connection, row)
    except Duplicate:
        raise _taken(request.name) from None
    _adopt(connection, row)
    if not request.disable_everyone_group_access:
        template_acls.put_groups(connection, row.id, {row.organization_id: "use"})
    _audit(connection, actor, "create", after=row)
    return row


def _adopt(connection: Connection, row: TemplateRow) -> None:
    """The version that the template is made of, if any, becomes its own. Raises `NotFound` and `BadRequest`."""
    if row.active_version_id == _NO_VERSION:
        return
    version = template_versions.get(connection, row.active_version_id)
    if version is None:
        raise NotFound(f"There is no template version {row.active_version_id}.")
    if version.template_id is not None or version.organization_id != row.organization_id:
        raise invalid(template_version_id="belongs to another template or to another organization")
    template_versions.update_fields(connection, version.id, {"template_id": row.id})


def _patch(connection: Connection, actor: Actor, template_id: UUID, request: PatchTemplateRequest) -> TemplateRow:
    row = changeable(connection, actor, template_id)
    sent = read(request.model_dump(exclude_none=True))
    if not sent["name"]:
        del sent["name"]
    problems = problems_of(sent)
    if problems:
        raise invalid(**problems)
    texts = {name: sent[name] for name in _TEXTS if name in sent}
    changed = row._replace(**texts, settings=merged(row.settings, sent))
    if changed != row:
        changed = changed._replace(updated_at=now())
        try:
            fields = (*_TEXTS, "settings", "updated_at")
            templates.update_fields(connection, row.id, {name: getattr(changed, name) for name in fields})
        except Duplicate:
            raise _taken(changed.name) from None
        _audit(connection, actor, "write", before=row, after=changed)
    if request.disable_everyone_group_access:
        _disable_everyone(connection, actor, row)
    return changed


def _disable_everyone(connection: Connection, actor: Actor, row: TemplateRow) -> None:
    everyone = row.organization_id
    role = template_acls.group_roles(connection, row.id, [everyone]).get(everyone)
    if role is None:
        return
    template_acls.put_groups(connection, row.id, {everyone: ""})
    resource = ("template", row.id, row.name)
    before = {"group_acl": {str(everyone): role}}
    audit.record(
        connection, actor.id, "write", resource, before=before, after={"group_acl": {}}, organization_id=everyone
    )


def _delete(connection: Connection, actor: Actor, template_id: UUID) -> None:
    row = changeable(connection, actor, template_id)
    if workspaces.has_any(connection, row.id):
        raise BadRequest("All workspaces of a template must be deleted before the template can be.")
    templates.delete(connection, row.id, now())
    _audit(connection, actor, "delete", before=row)


def _taken(name: str) -> RequestError:
    return taken(f"A template named {name!r} already exists.")


def _audit(
    connection: Connection,
    actor: Actor,
    action: str,
    *,
    before: TemplateRow | None = None,
    after: TemplateRow | None = None,
) -> None:
    subject = after or before
    if subject is None:
        raise AssertionError("an audited change has a subject")
    audit.record(
        connection,
        actor.id,
        action,
        ("template", subject.id, subject.name),
        before=_shown(before),
        after=_shown(after),
        organization_id=subject.organization_id,
    )


def _shown(row: TemplateRow | None) -> dict[str, Any] | None:
    return {name: getattr(row, name) for name in _TEXTS} | row.settings if row else None


def _to_wire(row: TemplateRow) -> Template:
    settings = TemplateSettings.model_validate(row.settings)
    return Template.model_construct(
        **settings.__dict__,
        id=row.id,
        created_at=row.created_at,
        updated_at=row.updated_at,
        organization_id=row.organization_id,
        organization_name=row.organization_name,
        organization_display_name=row.organization_display_name,
        name=row.name,
        display_name=row.display_name,
        active_version_id=row.active_version_id,
        description=row.description,
        deprecated=bool(settings.deprecation_message),
        icon=row.icon,
        created_by_id=row.created_by_id,
        created_by_name=row.created_by_name,
    )
