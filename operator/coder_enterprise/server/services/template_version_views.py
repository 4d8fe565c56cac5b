"""How template versions, and what they ask workspaces for, are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from coder_enterprise.server.services.provisioning import job_views as views
from coder_enterprise.server.storage import users
from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.provisioning import job_views
from coder_enterprise.server.storage.template_versions import TemplateVersion as VersionRow
from coder_enterprise.wire.template_versions import (
    MinimalUser,
    TemplateVersion,
    TemplateVersionParameter,
)


def parameter(item: Mapping[str, Any]) -> TemplateVersionParameter:
    """Versions that an older server imported say only what a build needs."""
    made = TemplateVersionParameter.model_validate(item)
    made.description_plaintext = made.description
    made.form_type = made.form_type or _form(made)
    return made


def _form(item: TemplateVersionParameter) -> str:
    """How it is asked for where the template does not say; so it is in Coder."""
    if item.options:
        return "radio"
    return {"bool": "checkbox", "list(string)": "tag-select"}.get(item.type, "input")


def one(connection: Connection, row: VersionRow) -> TemplateVersion:
    return to_wire(connection, [row])[0]


def to_wire(connection: Connection, rows: Sequence[VersionRow]) -> list[TemplateVersion]:
    jobs = job_views.shown(connection, [row.job_id for row in rows])
    able = views.candidates(connection, jobs.values())
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
            job=views.to_wire(jobs[row.job_id]),
            readme=row.readme,
            created_by=_minimal(makers[row.created_by_id]),
            has_external_agent=row.has_external_agent,
            matched_provisioners=views.matched(able[row.job_id]) if row.job_id in able else None,
        )
        for row in rows
    ]


def _minimal(user: users.User) -> MinimalUser:
    return MinimalUser.model_construct(id=user.id, username=user.username, name=user.name, avatar_url=user.avatar_url)
