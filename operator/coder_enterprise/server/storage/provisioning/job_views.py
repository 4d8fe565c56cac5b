"""Jobs as people see them: with their place in the queue, what they are for, and by the daemon that does them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    case,
    func,
    literal,
    or_,
    select,
    tuple_,
)

from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.provisioning.provisioner_jobs import Job
from coder_enterprise.server.storage.schema import (
    provisioner_daemons,
    provisioner_jobs,
    template_versions,
    templates,
    workspace_builds,
    workspaces,
)


class About(NamedTuple):
    """What a job is for: the template version, its template if it has one, and the workspace that is built."""

    template_version_name: str | None
    template_id: UUID | None
    template_name: str | None
    template_display_name: str | None
    template_icon: str | None
    workspace_id: UUID | None
    workspace_name: str | None


class Shown(NamedTuple):
    """A job with what people see of it besides."""

    job: Job
    worker_name: str
    queue_position: int
    queue_size: int
    about: About

    @property
    def waits(self) -> bool:
        return self.job.started_at is None and self.job.completed_at is None


class Filter(NamedTuple):
    """Which jobs of an organization a list holds; empty means all."""

    ids: tuple[UUID, ...] = ()
    statuses: tuple[str, ...] = ()
    initiator_id: UUID | None = None
    tag_sets: tuple[dict[str, str], ...] | None = None
    """With exactly one of these sets of tags; None is any."""


class Work(NamedTuple):
    """A job that a daemon does or has done, and the template that it is for, if that is known."""

    worker_id: UUID
    job: Job
    template_id: UUID | None
    template_name: str
    template_display_name: str
    template_icon: str

    def seen_by(self, template_ids: Collection[UUID]) -> Work:
        """For one who sees these templates and no others."""
        if self.template_id in template_ids:
            return self
        return self._replace(template_id=None, template_name="", template_display_name="", template_icon="")


# Statements are built once: building one costs more than running it.
_TABLE = provisioner_jobs.c
_COLUMNS = tuple(_TABLE[name] for name in Job._fields)
_WAITS = and_(_TABLE.started_at.is_(None), _TABLE.completed_at.is_(None))

_earlier = provisioner_jobs.alias()
_waiting = provisioner_jobs.alias()
_POSITION = (
    select(func.count())
    .select_from(_earlier)
    .where(
        _earlier.c.started_at.is_(None),
        _earlier.c.completed_at.is_(None),
        tuple_(_earlier.c.created_at, _earlier.c.id) <= tuple_(_TABLE.created_at, _TABLE.id),
    )
    .correlate(provisioner_jobs)
    .scalar_subquery()
)
_SIZE = (
    select(func.count())
    .select_from(_waiting)
    .where(_waiting.c.started_at.is_(None), _waiting.c.completed_at.is_(None))
    .scalar_subquery()
)
_SHOWN = (
    select(
        *_COLUMNS,
        provisioner_daemons.c.name,
        case((_WAITS, _POSITION), else_=literal(0)),
        _SIZE,
        template_versions.c.name,
        templates.c.id,
        templates.c.name,
        templates.c.display_name,
        templates.c.icon,
        workspaces.c.id,
        workspaces.c.name,
    )
    .outerjoin(provisioner_daemons, provisioner_daemons.c.id == _TABLE.worker_id)
    .outerjoin(workspace_builds, workspace_builds.c.job_id == _TABLE.id)
    .outerjoin(workspaces, workspaces.c.id == workspace_builds.c.workspace_id)
    .outerjoin(
        template_versions,
        or_(template_versions.c.job_id == _TABLE.id, template_versions.c.id == workspace_builds.c.template_version_id),
    )
    .outerjoin(templates, templates.c.id == template_versions.c.template_id)
)
_BY_IDS = _SHOWN.where(_TABLE.id.in_(bindparam("job_ids", expanding=True)))
_NEWEST = _SHOWN.where(_TABLE.organization_id == bindparam("organization_id")).order_by(
    _TABLE.created_at.desc(), _TABLE.id
)
_ALL_TAG_SETS = select(_TABLE.tags).where(_TABLE.organization_id == bindparam("organization_id")).distinct()
_IS_OPEN = _TABLE.completed_at.is_(None)
_IS_KEPT = _TABLE.canceled_at.is_(None)
_IN_STATUS: Mapping[str, ColumnElement[bool]] = {
    "pending": and_(_IS_OPEN, _IS_KEPT, _TABLE.started_at.is_(None)),
    "running": and_(_IS_OPEN, _IS_KEPT, _TABLE.started_at.is_not(None)),
    "canceling": and_(_IS_OPEN, ~_IS_KEPT),
    "succeeded": and_(~_IS_OPEN, _TABLE.error == "", _IS_KEPT),
    "canceled": and_(~_IS_OPEN, _TABLE.error == "", ~_IS_KEPT),
    "failed": and_(~_IS_OPEN, _TABLE.error != ""),
}
"""As `services` name what became of a job."""
_its = provisioner_jobs.alias()


def _work(is_over: bool, order: ColumnElement[Any]) -> Select[Any]:
    """The first job of each daemon by that order, found through an index whatever the daemon has done."""
    condition = _its.c.completed_at.is_not(None) if is_over else _its.c.completed_at.is_(None)
    first = (
        select(_its.c.id)
        .where(_its.c.worker_id == provisioner_daemons.c.id, condition)
        .order_by(order)
        .limit(1)
        .correlate(provisioner_daemons)
        .scalar_subquery()
    )
    template_id = func.coalesce(template_versions.c.template_id, workspaces.c.template_id)
    return (
        select(
            _TABLE.worker_id, *_COLUMNS, templates.c.id, templates.c.name, templates.c.display_name, templates.c.icon
        )
        .select_from(provisioner_daemons)
        .join(provisioner_jobs, _TABLE.id == first)
        .outerjoin(template_versions, template_versions.c.job_id == _TABLE.id)
        .outerjoin(workspace_builds, workspace_builds.c.job_id == _TABLE.id)
        .outerjoin(workspaces, workspaces.c.id == workspace_builds.c.workspace_id)
        .outerjoin(templates, templates.c.id == template_id)
        .where(provisioner_daemons.c.organization_id == bindparam("organization_id"))
    )


_RUNNING = _work(False, _its.c.started_at.desc())
_ENDED = _work(True, _its.c.completed_at.desc())


def shown(connection: Connection, job_ids: Iterable[UUID]) -> dict[UUID, Shown]:
    rows = connection.execute(_BY_IDS, {"job_ids": list(job_ids)})
    return {row[0]: _shown(row) for row in rows}


def newest(connection: Connection, organization_id: UUID, which: Filter, limit: int | None) -> list[Shown]:
    """Of the organization, newest first."""
    query = _NEWEST.limit(limit)
    if which.ids:
        query = query.where(_TABLE.id.in_(which.ids))
    if which.statuses:
        query = query.where(or_(*(_IN_STATUS[status] for status in which.statuses)))
    if which.initiator_id is not None:
        query = query.where(_TABLE.initiator_id == which.initiator_id)
    if which.tag_sets is not None:
        query = query.where(_TABLE.tags.in_(which.tag_sets))
    return [_shown(row) for row in connection.execute(query, {"organization_id": organization_id})]


def tag_sets(connection: Connection, organization_id: UUID) -> list[dict[str, str]]:
    """The different tags of the organization's jobs."""
    return list(connection.execute(_ALL_TAG_SETS, {"organization_id": organization_id}).scalars())


def _shown(row: Sequence[Any]) -> Shown:
    width = len(Job._fields)
    name, position, size, *about = row[width:]
    return Shown(Job(*row[:width]), name or "", position, size, About(*about))


def work_of(connection: Connection, organization_id: UUID) -> list[Work]:
    """For each of the organization's daemons the job that runs, and the one that was completed last."""
    rows = [
        row
        for statement in (_RUNNING, _ENDED)
        for row in connection.execute(statement, {"organization_id": organization_id})
    ]
    return [Work(row[0], Job(*row[1:-4]), row[-4], row[-3] or "", row[-2] or "", row[-1] or "") for row in rows]
