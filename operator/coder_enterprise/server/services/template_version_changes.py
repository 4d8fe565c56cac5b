"""Template versions that are made, renamed, and made active, each in one transaction."""

from __future__ import annotations

import secrets
from typing import Final
from uuid import UUID, uuid4

from coder_enterprise.server import access, names
from coder_enterprise.server.access import Action, Actor, Kind, Subject
from coder_enterprise.server.errors import RequestError, invalid, taken
from coder_enterprise.server.services import audit, references
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.provisioning import job_tags
from coder_enterprise.server.services.provisioning.job_queue import new_job
from coder_enterprise.server.services.provisioning.orders import IMPORT
from coder_enterprise.server.services.template_access import changeable
from coder_enterprise.server.services.template_version_access import require_change, seen, usable
from coder_enterprise.server.services.template_version_views import one
from coder_enterprise.server.services.variables import Variables
from coder_enterprise.server.storage import files, template_versions, templates
from coder_enterprise.server.storage.database import Connection, Duplicate
from coder_enterprise.server.storage.template_versions import TemplateVersion as VersionRow
from coder_enterprise.wire.provisioner_jobs import PROVISIONERS
from coder_enterprise.wire.template_versions import (
    CreateTemplateVersionRequest,
    PatchTemplateVersionRequest,
    TemplateVersion,
)

MAX_NAME: Final = 32
MAX_MESSAGE: Final = 1048


def create(
    connection: Connection,
    actor: Actor,
    organization: str,
    request: CreateTemplateVersionRequest,
    variables: Variables,
) -> TemplateVersion:
    """With the job that imports it. Raises `NotFound`, `Forbidden`, `BadRequest`, and `Conflict` for the name."""
    home = references.organization(connection, organization)
    template_id = _template_of(connection, actor, home.id, request.template_id)
    file_id = _check(connection, actor, request)
    moment = now()
    version_id = uuid4()
    tags = job_tags.normalized(request.tags, actor.id)
    job_id = new_job(
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
    audit.record(connection, actor.id, "create", resource(row), after=_shown(row), organization_id=home.id)
    return one(connection, row)


def patch(
    connection: Connection, actor: Actor, version_id: UUID, request: PatchTemplateVersionRequest
) -> TemplateVersion:
    """Another name or message. Raises `NotFound`, `Forbidden`, `BadRequest`, and `Conflict` for the name."""
    row = seen(connection, actor, version_id)
    require_change(connection, actor, row)
    changed = row._replace(
        name=request.name or row.name, message=row.message if request.message is None else request.message
    )
    problems = _text_problems(changed.name, changed.message)
    if problems:
        raise invalid(**problems)
    if changed == row:
        return one(connection, row)
    changed = changed._replace(updated_at=now())
    values = {name: getattr(changed, name) for name in ("name", "message", "updated_at")}
    try:
        template_versions.update_fields(connection, row.id, values)
    except Duplicate:
        raise _taken(changed.name) from None
    audit.record(
        connection,
        actor.id,
        "write",
        resource(changed),
        before=_shown(row),
        after=_shown(changed),
        organization_id=row.organization_id,
    )
    return one(connection, changed)


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
    job_tags.check(request.tags)
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


def activate(connection: Connection, actor: Actor, template_id: UUID, version_id: UUID) -> None:
    """New workspaces are made of it. Raises `NotFound`, `Forbidden` and `BadRequest`."""
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
        organization_id=template.organization_id,
    )


def resource(row: VersionRow) -> tuple[str, object, str]:
    return "template_version", row.id, row.name


def _shown(row: VersionRow) -> dict[str, object]:
    return {
        "name": row.name,
        "message": row.message,
        "template_id": str(row.template_id or ""),
        "job_id": str(row.job_id),
    }
