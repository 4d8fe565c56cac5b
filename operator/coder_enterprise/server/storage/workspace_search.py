"""Which workspaces a list holds: conditions on a statement that has workspaces, their owners and their templates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Select, String, cast, exists, false, func, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

from coder_enterprise.server.storage.periods import ALWAYS, Period, within
from coder_enterprise.server.storage.schema import provisioner_jobs, templates, users, workspace_builds, workspaces
from coder_enterprise.server.storage.workspace_builds import IS_LATEST

CONNECTING: Final = "connecting"
"""What `wire.workspace_resources` says of every agent."""


class Filter(NamedTuple):
    """Empty means all; texts are in lower case."""

    only: UUID | None = None
    """Of that owner."""
    owner: str = ""
    template: str = ""
    name: str = ""
    """A part of it is enough."""
    ids: tuple[UUID, ...] = ()
    organization_id: UUID | None = None
    status: str = ""
    outdated: bool | None = None
    """Whether the latest build is not of the template's active version."""
    dormant: bool = False
    """Only those that are."""
    last_used: Period = ALWAYS
    parameters: tuple[tuple[str, str | None], ...] = ()
    """Of the latest build: names, and values where these count, too."""
    agents: tuple[str, ...] = ()
    """With an agent in one of these states. None connects to this server, so that all are still connecting."""


_jobs = provisioner_jobs.c
_is_over = _jobs.completed_at.is_not(None)
_is_canceled = _jobs.canceled_at.is_not(None)
_has_failed = _jobs.error != ""
_PENDING: Final = ~_is_over & ~_is_canceled & _jobs.started_at.is_(None)
_RUNNING: Final = ~_is_over & ~_is_canceled & _jobs.started_at.is_not(None)
_SUCCEEDED: Final = _is_over & ~_has_failed & ~_is_canceled
_STATUSES: Final[Mapping[str, ColumnElement[bool]]] = {
    "pending": _PENDING,
    "starting": _RUNNING & (workspace_builds.c.transition == "start"),
    "running": _SUCCEEDED & (workspace_builds.c.transition == "start"),
    "stopping": _RUNNING & (workspace_builds.c.transition == "stop"),
    "stopped": _SUCCEEDED & (workspace_builds.c.transition == "stop"),
    "failed": _is_over & _has_failed,
    "canceling": ~_is_over & _is_canceled,
    "canceled": _is_over & ~_has_failed & _is_canceled,
    "deleting": _RUNNING & (workspace_builds.c.transition == "delete"),
    "deleted": _SUCCEEDED & (workspace_builds.c.transition == "delete"),
}
"""As `services.workspace_builds` tells them; a test compares the two."""

_LATEST_BUILD: Final[Select[Any]] = (
    select(workspace_builds.c.id)
    .join(provisioner_jobs, provisioner_jobs.c.id == workspace_builds.c.job_id)
    .where(workspace_builds.c.workspace_id == workspaces.c.id, IS_LATEST)
    .correlate(workspaces, templates)
)


class _pairs(GenericFunction[Any]):  # noqa: N801 - SQLAlchemy registers the class by its name
    """Keys and values of a JSON object whose values are text."""

    name = "json_each"
    inherit_cache = True


@compiles(_pairs, "postgresql")
def _pairs_of_postgresql(element: _pairs, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_each_text{compiler.process(element.clause_expr, **options)}"


def filtered(query: Select[Any], which: Filter) -> Select[Any]:
    return query.where(*_of_workspace(which), *_of_latest_build(which))


def _of_workspace(which: Filter) -> Iterator[ColumnElement[bool]]:
    if which.only is not None:
        yield workspaces.c.owner_id == which.only
    if which.owner:
        yield users.c.username_key == which.owner
    if which.template:
        yield templates.c.name_key == which.template
    if which.name:
        yield workspaces.c.name_key.contains(which.name, autoescape=True)
    if which.ids:
        yield workspaces.c.id.in_(which.ids)
    if which.organization_id is not None:
        yield workspaces.c.organization_id == which.organization_id
    if which.dormant:
        yield workspaces.c.dormant_at.is_not(None)
    if which.agents and CONNECTING not in which.agents:
        yield false()


def _of_latest_build(which: Filter) -> Iterator[ColumnElement[bool]]:
    conditions = [_has_parameter(name, value) for name, value in which.parameters]
    if CONNECTING in which.agents:
        # In a text that a template brings, the quotation marks are escaped.
        conditions.append(cast(provisioner_jobs.c.resources, String).contains('"agents": [{'))
    if which.status:
        conditions.append(_STATUSES[which.status])
    if which.outdated is not None:
        is_current = workspace_builds.c.template_version_id == templates.c.active_version_id
        conditions.append(~is_current if which.outdated else is_current)
    if conditions or which.last_used != ALWAYS:
        yield exists(within(_LATEST_BUILD.where(*conditions), workspace_builds.c.created_at, which.last_used))


def _has_parameter(name: str, value: str | None) -> ColumnElement[bool]:
    pairs = _pairs(workspace_builds.c.parameters).table_valued("key", "value")
    query = select(pairs.c.key).where(func.lower(pairs.c.key) == name)
    return exists(query if value is None else query.where(func.lower(pairs.c.value) == value))
