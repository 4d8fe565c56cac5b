"""Builds of workspaces: each starts, stops or deletes one, and the latest says what the workspace costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Select, bindparam, func, insert, select, update

from coder_enterprise.server.storage.database import Connection, unique
from coder_enterprise.server.storage.schema import template_versions, users, workspace_builds, workspaces


class Build(NamedTuple):
    id: UUID
    workspace_id: UUID
    template_version_id: UUID
    job_id: UUID
    initiator_id: UUID
    build_number: int
    transition: str
    daily_cost: int
    parameters: dict[str, str]
    created_at: datetime
    updated_at: datetime
    preset_id: UUID | None
    """Of the version's presets, the one that it was made with."""
    template_version_name: str
    initiator_name: str


# Statements are built once: building one costs more than running it.
_COLUMNS = tuple(workspace_builds.c[name] for name in Build._fields[:-2])
_ALL: Select[Any] = (
    select(*_COLUMNS, template_versions.c.name, users.c.username)
    .select_from(workspace_builds)
    .join(template_versions, template_versions.c.id == workspace_builds.c.template_version_id)
    .join(users, users.c.id == workspace_builds.c.initiator_id)
)
_GET = _ALL.where(workspace_builds.c.id == bindparam("build_id"))
_BY_JOB = _ALL.where(workspace_builds.c.job_id == bindparam("job_id"))
_later = workspace_builds.alias()
IS_LATEST = (
    workspace_builds.c.build_number
    == select(func.max(_later.c.build_number))
    .where(_later.c.workspace_id == workspace_builds.c.workspace_id)
    .correlate(workspace_builds)
    .scalar_subquery()
)
_LATEST = _ALL.where(workspace_builds.c.workspace_id.in_(bindparam("workspace_ids", expanding=True)), IS_LATEST)
_OF_WORKSPACE = _ALL.where(workspace_builds.c.workspace_id == bindparam("workspace_id")).order_by(
    workspace_builds.c.build_number.desc()
)
_BY_NUMBER = _OF_WORKSPACE.where(workspace_builds.c.build_number == bindparam("number"))
_STATE = select(workspace_builds.c.state).where(workspace_builds.c.id == bindparam("build_id"))
_COST = select(workspace_builds.c.daily_cost).where(
    workspace_builds.c.workspace_id == bindparam("workspace_id"),
    workspace_builds.c.build_number == bindparam("number"),
)
_CONSUMED = (
    select(func.coalesce(func.sum(workspace_builds.c.daily_cost), 0))
    .select_from(workspace_builds)
    .join(workspaces, workspaces.c.id == workspace_builds.c.workspace_id)
    .where(workspaces.c.owner_id == bindparam("owner_id"), workspaces.c.name_key.is_not(None), IS_LATEST)
)
_CONSUMED_IN = _CONSUMED.where(workspaces.c.organization_id == bindparam("organization_id"))


def create(connection: Connection, build: Build, state: bytes) -> None:
    """Raises `Duplicate` when the workspace has a build of that number."""
    values = {column.name: getattr(build, column.name) for column in _COLUMNS}
    with unique(connection):
        connection.execute(insert(workspace_builds), values | {"state": state})


def get(connection: Connection, build_id: UUID) -> Build | None:
    row = connection.execute(_GET, {"build_id": build_id}).first()
    return Build(*row) if row else None


def by_job(connection: Connection, job_id: UUID) -> Build | None:
    row = connection.execute(_BY_JOB, {"job_id": job_id}).first()
    return Build(*row) if row else None


def latest(connection: Connection, workspace_ids: Iterable[UUID]) -> dict[UUID, Build]:
    """Of each workspace."""
    rows = connection.execute(_LATEST, {"workspace_ids": list(workspace_ids)})
    return {build.workspace_id: build for build in (Build(*row) for row in rows)}


def of_workspace(
    connection: Connection, workspace_id: UUID, limit: int | None, offset: int, after_number: int = 0
) -> list[Build]:
    """Newest first, of those with a greater number; `limit` None is all."""
    query = _OF_WORKSPACE.where(workspace_builds.c.build_number > after_number).offset(offset).limit(limit)
    return [Build(*row) for row in connection.execute(query, {"workspace_id": workspace_id})]


def by_number(connection: Connection, workspace_id: UUID, number: int) -> Build | None:
    row = connection.execute(_BY_NUMBER, {"workspace_id": workspace_id, "number": number}).first()
    return Build(*row) if row else None


def state(connection: Connection, build_id: UUID) -> bytes:
    """What the provisioner wants to have next time."""
    return bytes(connection.execute(_STATE, {"build_id": build_id}).scalar_one())


def cost(connection: Connection, workspace_id: UUID, number: int) -> int | None:
    """Credits a day; None when there is no such build."""
    return connection.execute(_COST, {"workspace_id": workspace_id, "number": number}).scalar()


def consumed(connection: Connection, owner_id: UUID, organization_id: UUID | None) -> int:
    """What the latest builds of the owner's workspaces cost, whatever they did; those that are deleted cost nothing.

    None is every organization.
    """
    if organization_id is None:
        return int(connection.execute(_CONSUMED, {"owner_id": owner_id}).scalar_one())
    values = {"owner_id": owner_id, "organization_id": organization_id}
    return int(connection.execute(_CONSUMED_IN, values).scalar_one())


def update_fields(connection: Connection, build_id: UUID, values: Mapping[str, Any]) -> None:
    connection.execute(update(workspace_builds).where(workspace_builds.c.id == build_id).values(**values))
