"""Which template versions an actor sees and may change, and which of them workspaces can be made of.

A version without a template is seen by whoever made it, and by those who see all templates; a version of a template
by those who see the template.
"""

from __future__ import annotations

from uuid import UUID

from coder_enterprise.server import access
from coder_enterprise.server.access import Action, Actor, Kind, Subject
from coder_enterprise.server.errors import BadRequest, NotFound, invalid
from coder_enterprise.server.services.provisioning import job_views as views
from coder_enterprise.server.services.template_access import changeable, visible
from coder_enterprise.server.storage import template_versions
from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.provisioning import provisioner_jobs as stored_jobs
from coder_enterprise.server.storage.template_versions import TemplateVersion as VersionRow
from coder_enterprise.server.storage.templates import Template


def usable(connection: Connection, version_id: UUID, template_id: UUID, field: str) -> VersionRow:
    """A version of that template whose job has succeeded. Raises `BadRequest` that names `field`."""
    row = template_versions.get(connection, version_id)
    if row is None or row.template_id != template_id:
        raise invalid(**{field: "is not a version of this template"})
    job = stored_jobs.get(connection, row.job_id)
    state = views.status(job) if job else "missing"
    if state != "succeeded":
        raise BadRequest(
            f"The template version {row.name!r} is {state}; only one whose job has succeeded can be used.",
            job.error if job else "",
            {field: f"its job is {state}"},
        )
    return row


def named(connection: Connection, template: Template, name: str) -> VersionRow:
    """Raises `NotFound`."""
    row = template_versions.by_name(connection, template.id, name)
    if row is None:
        raise NotFound
    return row


def seen(connection: Connection, actor: Actor, version_id: UUID) -> VersionRow:
    """Raises `NotFound`."""
    row = template_versions.get(connection, version_id)
    if row is None:
        raise NotFound
    if row.template_id is not None:
        visible(connection, actor, row.template_id)
    elif not access.sees(actor, Subject(Kind.TEMPLATE_VERSION, row.created_by_id)):
        raise NotFound
    return row


def require_change(connection: Connection, actor: Actor, row: VersionRow) -> None:
    """Raises `Forbidden`."""
    if row.template_id is not None:
        changeable(connection, actor, row.template_id)
    else:
        access.require(actor, Action.UPDATE, Subject(Kind.TEMPLATE_VERSION, row.created_by_id))
