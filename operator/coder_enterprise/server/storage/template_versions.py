"""Versions of templates."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Uuid, bindparam, insert, literal, select, tuple_, update

from coder_enterprise.server.storage.database import Connection, unique
from coder_enterprise.server.storage.schema import Moment, template_versions


class TemplateVersion(NamedTuple):
    id: UUID
    organization_id: UUID
    template_id: UUID | None
    job_id: UUID
    created_by_id: UUID
    name: str
    message: str
    readme: str
    variables: list[dict[str, Any]]
    """As `services.variables` keeps them. Values are never shown."""
    parameters: list[dict[str, Any]]
    workspace_tags: dict[str, str]
    created_at: datetime
    updated_at: datetime
    module_file_id: UUID | None = None
    """Of the modules that it uses, where its import brought them."""
    variable_definitions: list[dict[str, Any]] = []  # noqa: RUF012 - a tuple's default, which nobody changes
    """What the template says of its variables; known when it has been read."""
    has_external_agent: bool = False
    presets: list[dict[str, Any]] = []  # noqa: RUF012 - like `variable_definitions`
    """As `wire.template_versions.Preset`."""


# Statements are built once: building one costs more than running it.
_COLUMNS = tuple(template_versions.c[name] for name in TemplateVersion._fields)
_GET = select(*_COLUMNS).where(template_versions.c.id == bindparam("version_id"))
_BY_JOB = select(*_COLUMNS).where(template_versions.c.job_id == bindparam("job_id"))
_PLACE = tuple_(template_versions.c.created_at, template_versions.c.id)
_OF_TEMPLATE = (
    select(*_COLUMNS)
    .where(template_versions.c.template_id == bindparam("template_id"))
    .order_by(template_versions.c.created_at, template_versions.c.id)
)
_BY_NAME = _OF_TEMPLATE.where(template_versions.c.name == bindparam("version_name"))
_BEFORE = (
    select(*_COLUMNS)
    .where(
        template_versions.c.template_id == bindparam("template_id"),
        tuple_(bindparam("moment", type_=Moment), bindparam("version_id", type_=Uuid)) > _PLACE,
    )
    .order_by(template_versions.c.created_at.desc(), template_versions.c.id.desc())
    .limit(1)
)
_VARIABLES = (
    select(template_versions.c.id, template_versions.c.variables)
    .where(template_versions.c.id > bindparam("after"))
    .order_by(template_versions.c.id)
    .limit(bindparam("count"))
)


def create(connection: Connection, version: TemplateVersion) -> None:
    """Raises `Duplicate` when the template has a version of that name."""
    with unique(connection):
        connection.execute(insert(template_versions), version._asdict())


def get(connection: Connection, version_id: UUID) -> TemplateVersion | None:
    row = connection.execute(_GET, {"version_id": version_id}).first()
    return TemplateVersion(*row) if row else None


def by_job(connection: Connection, job_id: UUID) -> TemplateVersion | None:
    row = connection.execute(_BY_JOB, {"job_id": job_id}).first()
    return TemplateVersion(*row) if row else None


def of_template(
    connection: Connection, template_id: UUID, limit: int | None, offset: int, after: TemplateVersion | None
) -> list[TemplateVersion]:
    """Oldest first, of those that were made after that one; `limit` None is all."""
    query = _OF_TEMPLATE.offset(offset).limit(limit)
    if after is not None:
        query = query.where(tuple_(literal(after.created_at, Moment), literal(after.id, Uuid)) < _PLACE)
    return [TemplateVersion(*row) for row in connection.execute(query, {"template_id": template_id})]


def variables_after(connection: Connection, after: UUID, count: int) -> list[tuple[UUID, list[dict[str, Any]]]]:
    """By id, of all versions."""
    return [(row.id, row.variables) for row in connection.execute(_VARIABLES, {"after": after, "count": count})]


def by_name(connection: Connection, template_id: UUID, name: str) -> TemplateVersion | None:
    row = connection.execute(_BY_NAME, {"template_id": template_id, "version_name": name}).first()
    return TemplateVersion(*row) if row else None


def before(connection: Connection, version: TemplateVersion) -> TemplateVersion | None:
    """The one that was made last before it, of the same template."""
    values = {"template_id": version.template_id, "moment": version.created_at, "version_id": version.id}
    row = connection.execute(_BEFORE, values).first()
    return TemplateVersion(*row) if row else None


def update_fields(connection: Connection, version_id: UUID, values: Mapping[str, Any]) -> None:
    """Raises `Duplicate` like `create`."""
    with unique(connection):
        connection.execute(update(template_versions).where(template_versions.c.id == version_id).values(**values))
