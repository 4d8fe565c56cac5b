"""Jobs of provisioner daemons, and their logs.

A job waits until it is started, runs until it is completed, and is never started twice. `next_for` is the queue: on
PostgreSQL replicas that look for work at the same time skip the rows of each other, and SQLite has one writer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    case,
    func,
    insert,
    literal,
    select,
    tuple_,
    update,
)

from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.schema import (
    provisioner_daemons,
    provisioner_job_logs,
    provisioner_jobs,
    template_versions,
    templates,
    workspace_builds,
    workspaces,
)

MAX_LOG_ID: Final = 2**63 - 1


class Job(NamedTuple):
    id: UUID
    organization_id: UUID
    initiator_id: UUID
    provisioner: str
    type: str
    input: dict[str, Any]
    tags: dict[str, str]
    file_id: UUID
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None = None
    completed_at: datetime | None = None
    canceled_at: datetime | None = None
    worker_id: UUID | None = None
    error: str = ""
    error_code: str = ""
    logs_size: int = 0
    logs_overflowed: bool = False


class Shown(NamedTuple):
    """A job with what people see of it besides."""

    job: Job
    worker_name: str
    queue_position: int
    queue_size: int


class Log(NamedTuple):
    created_at: datetime
    source: str
    level: str
    stage: str
    output: str


class Numbered(NamedTuple):
    id: int
    log: Log


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
_OFFERED = and_(
    _WAITS,
    _TABLE.organization_id == bindparam("organization_id"),
    _TABLE.provisioner.in_(bindparam("provisioners", expanding=True)),
)
_TAG_SETS = select(_TABLE.tags).where(_OFFERED).distinct()
_NEXT = (
    select(*_COLUMNS)
    .where(_OFFERED, _TABLE.tags.in_(bindparam("tag_sets", expanding=True)))
    .order_by(_TABLE.created_at, _TABLE.id)
    .limit(1)
    .with_for_update(skip_locked=True)
)
_GET = select(*_COLUMNS).where(_TABLE.id == bindparam("job_id"))
_HUNG = select(*_COLUMNS).where(
    _TABLE.completed_at.is_(None), _TABLE.started_at.is_not(None), _TABLE.updated_at < bindparam("moment")
)

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
    select(*_COLUMNS, provisioner_daemons.c.name, case((_WAITS, _POSITION), else_=literal(0)), _SIZE)
    .outerjoin(provisioner_daemons, provisioner_daemons.c.id == _TABLE.worker_id)
    .where(_TABLE.id.in_(bindparam("job_ids", expanding=True)))
)
_RESOURCES = select(_TABLE.id, _TABLE.resources).where(_TABLE.id.in_(bindparam("job_ids", expanding=True)))
_LOG_COLUMNS = tuple(provisioner_job_logs.c[name] for name in Log._fields)
_LOGS = (
    select(provisioner_job_logs.c.id, *_LOG_COLUMNS)
    .where(
        provisioner_job_logs.c.job_id == bindparam("job_id"),
        provisioner_job_logs.c.id > bindparam("after"),
        provisioner_job_logs.c.id < bindparam("before"),
    )
    .order_by(provisioner_job_logs.c.id)
)
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


def create(connection: Connection, job: Job) -> None:
    connection.execute(insert(provisioner_jobs), job._asdict())


def get(connection: Connection, job_id: UUID) -> Job | None:
    row = connection.execute(_GET, {"job_id": job_id}).first()
    return Job(*row) if row else None


def waiting_tag_sets(
    connection: Connection, organization_id: UUID, provisioners: Sequence[str]
) -> list[dict[str, str]]:
    """The different tags of the jobs that wait for one of these provisioners."""
    values = {"organization_id": organization_id, "provisioners": list(provisioners)}
    return list(connection.execute(_TAG_SETS, values).scalars())


def next_for(
    connection: Connection, organization_id: UUID, provisioners: Sequence[str], tag_sets: Sequence[dict[str, str]]
) -> Job | None:
    """The oldest that waits with exactly one of these sets of tags; nobody else gets it until the transaction ends."""
    values = {"organization_id": organization_id, "provisioners": list(provisioners), "tag_sets": list(tag_sets)}
    row = connection.execute(_NEXT, values).first()
    return Job(*row) if row else None


def update_fields(connection: Connection, job_id: UUID, values: Mapping[str, Any]) -> None:
    connection.execute(update(provisioner_jobs).where(_TABLE.id == job_id).values(**values))


def hung(connection: Connection, moment: datetime) -> list[Job]:
    """Those that run and were not updated since."""
    return [Job(*row) for row in connection.execute(_HUNG, {"moment": moment})]


def shown(connection: Connection, job_ids: Iterable[UUID]) -> dict[UUID, Shown]:
    rows = connection.execute(_SHOWN, {"job_ids": list(job_ids)})
    return {row[0]: Shown(Job(*row[:-3]), row[-3] or "", row[-2], row[-1]) for row in rows}


def resources(connection: Connection, job_ids: Iterable[UUID]) -> dict[UUID, list[dict[str, Any]]]:
    """What each job has found or made."""
    rows = connection.execute(_RESOURCES, {"job_ids": list(job_ids)})
    return {job_id: found or [] for job_id, found in rows}


def work_of(connection: Connection, organization_id: UUID) -> list[Work]:
    """For each of the organization's daemons the job that runs, and the one that was completed last."""
    rows = [
        row
        for statement in (_RUNNING, _ENDED)
        for row in connection.execute(statement, {"organization_id": organization_id})
    ]
    return [Work(row[0], Job(*row[1:-4]), row[-4], row[-3] or "", row[-2] or "", row[-1] or "") for row in rows]


def add_logs(connection: Connection, job_id: UUID, logs: Iterable[Log]) -> None:
    rows = [log._asdict() | {"job_id": job_id} for log in logs]
    if rows:
        connection.execute(insert(provisioner_job_logs), rows)


def logs(connection: Connection, job_id: UUID, after: int, before: int | None = None) -> list[Numbered]:
    """Those whose id is greater than `after` and less than `before`, oldest first."""
    values = {"job_id": job_id, "after": after, "before": MAX_LOG_ID if before is None else before}
    rows = connection.execute(_LOGS, values)
    return [Numbered(row[0], Log(*row[1:])) for row in rows]
