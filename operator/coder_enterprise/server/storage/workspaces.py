"""Workspaces. A deleted workspace's row stays without its key, for its builds; its name becomes free."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Select, bindparam, func, insert, literal_column, select, update

from coder_enterprise.server.storage.database import Connection, unique
from coder_enterprise.server.storage.schema import (
    organizations,
    provisioner_jobs,
    templates,
    users,
    workspace_builds,
    workspaces,
)
from coder_enterprise.server.storage.workspace_builds import IS_LATEST
from coder_enterprise.server.storage.workspace_search import Filter, filtered


class Workspace(NamedTuple):
    id: UUID
    organization_id: UUID
    owner_id: UUID
    template_id: UUID
    name: str
    created_at: datetime
    updated_at: datetime
    autostart_schedule: str | None
    ttl_ms: int | None
    """Milliseconds."""
    dormant_at: datetime | None
    organization_name: str
    owner_name: str
    owner_avatar_url: str
    template_name: str
    template_display_name: str
    template_icon: str
    template_active_version_id: UUID
    template_settings: dict[str, Any]
    deleted: bool


class Latest(NamedTuple):
    """What became of a workspace's latest build."""

    transition: str
    started: bool
    completed: bool
    canceled: bool
    failed: bool


# Statements are built once: building one costs more than running it.
_COLUMNS = tuple(workspaces.c[name] for name in Workspace._fields[:10])
_ALL: Select[Any] = (
    select(
        *_COLUMNS,
        organizations.c.name,
        users.c.username,
        users.c.avatar_url,
        templates.c.name,
        templates.c.display_name,
        templates.c.icon,
        templates.c.active_version_id,
        templates.c.settings,
        workspaces.c.name_key.is_(None),
    )
    .select_from(workspaces)
    .join(organizations, organizations.c.id == workspaces.c.organization_id)
    .join(users, users.c.id == workspaces.c.owner_id)
    .join(templates, templates.c.id == workspaces.c.template_id)
)
_GET = _ALL.where(workspaces.c.id == bindparam("workspace_id"))
_BY_NAME = (
    _ALL.where(workspaces.c.owner_id == bindparam("owner_id"), func.lower(workspaces.c.name) == bindparam("key"))
    .order_by(workspaces.c.name_key.is_(None), workspaces.c.updated_at.desc())
    .limit(1)
)
_LIVING = _ALL.where(workspaces.c.name_key.is_not(None))
_COUNT: Select[Any] = (
    select(func.count())
    .select_from(workspaces)
    .join(users, users.c.id == workspaces.c.owner_id)
    .join(templates, templates.c.id == workspaces.c.template_id)
    .where(workspaces.c.name_key.is_not(None))
)
_OF_TEMPLATE = (
    select(workspaces.c.id)
    .where(workspaces.c.template_id == bindparam("template_id"), workspaces.c.name_key.is_not(None))
    .limit(1)
)

_FATE = (
    workspace_builds.c.transition,
    provisioner_jobs.c.started_at.is_not(None),
    provisioner_jobs.c.completed_at.is_not(None),
    provisioner_jobs.c.canceled_at.is_not(None),
    provisioner_jobs.c.error != literal_column("''"),
)
_BY_LATEST_BUILD: Select[Any] = (
    select(*_FATE, func.count())
    .select_from(workspaces)
    .join(workspace_builds, workspace_builds.c.workspace_id == workspaces.c.id)
    .join(provisioner_jobs, provisioner_jobs.c.id == workspace_builds.c.job_id)
    .where(workspaces.c.name_key.is_not(None), IS_LATEST)
    .group_by(*_FATE)
)


def create(connection: Connection, workspace: Workspace) -> None:
    """Raises `Duplicate` when the owner has a workspace of that name, in any case."""
    values = {column.name: getattr(workspace, column.name) for column in _COLUMNS}
    with unique(connection):
        connection.execute(insert(workspaces), values | {"name_key": workspace.name.lower()})


def get(connection: Connection, workspace_id: UUID) -> Workspace | None:
    """Also one that is deleted."""
    row = connection.execute(_GET, {"workspace_id": workspace_id}).first()
    return Workspace(*row) if row else None


def by_name(connection: Connection, owner_id: UUID, name: str) -> Workspace | None:
    """Without regard to case; the one that was deleted last when none of that name lives."""
    row = connection.execute(_BY_NAME, {"owner_id": owner_id, "key": name.lower()}).first()
    return Workspace(*row) if row else None


def page(connection: Connection, which: Filter, limit: int | None, offset: int) -> list[Workspace]:
    """By owner and name; `limit` None is all."""
    query = filtered(_LIVING, which).order_by(users.c.username_key, workspaces.c.name_key, workspaces.c.id)
    return [Workspace(*row) for row in connection.execute(query.offset(offset).limit(limit))]


def count(connection: Connection, which: Filter) -> int:
    return int(connection.execute(filtered(_COUNT, which)).scalar_one())


def count_by_latest_build(connection: Connection) -> dict[Latest, int]:
    """Of those that are not deleted."""
    return {Latest(*row[:-1]): row[-1] for row in connection.execute(_BY_LATEST_BUILD)}


def has_any(connection: Connection, template_id: UUID) -> bool:
    """Whether the template has a workspace that is not deleted."""
    return connection.execute(_OF_TEMPLATE, {"template_id": template_id}).first() is not None


def update_fields(connection: Connection, workspace_id: UUID, values: Mapping[str, Any]) -> None:
    connection.execute(update(workspaces).where(workspaces.c.id == workspace_id).values(**values))


def delete(connection: Connection, workspace_id: UUID, moment: datetime) -> None:
    """Frees the name; the row stays."""
    update_fields(connection, workspace_id, {"name_key": None, "updated_at": moment})
