"""Jobs of provisioner daemons.

A job waits until it is started, runs until it is completed, and is never started twice. `next_for` is the queue: on
PostgreSQL replicas that look for work at the same time skip the rows of each other, and SQLite has one writer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    and_,
    bindparam,
    insert,
    select,
    update,
)

from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.schema import (
    provisioner_jobs,
)


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
_RUNNING_BY = (
    select(*_COLUMNS)
    .where(_TABLE.worker_id == bindparam("daemon_id"), _TABLE.completed_at.is_(None))
    .order_by(_TABLE.started_at.desc())
)

_RESOURCES = select(_TABLE.id, _TABLE.resources).where(_TABLE.id.in_(bindparam("job_ids", expanding=True)))


def create(connection: Connection, job: Job) -> None:
    connection.execute(insert(provisioner_jobs), job._asdict())


def get(connection: Connection, job_id: UUID) -> Job | None:
    row = connection.execute(_GET, {"job_id": job_id}).first()
    return Job(*row) if row else None


def known(connection: Connection, job_id: UUID) -> Job:
    """That a row refers to: it is there."""
    job = get(connection, job_id)
    if job is None:
        raise AssertionError("jobs are never deleted")
    return job


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


def running_by(connection: Connection, daemon_id: UUID) -> list[Job]:
    """What the daemon has and did not end, latest first."""
    return [Job(*row) for row in connection.execute(_RUNNING_BY, {"daemon_id": daemon_id})]


def hung(connection: Connection, moment: datetime) -> list[Job]:
    """Those that run and were not updated since."""
    return [Job(*row) for row in connection.execute(_HUNG, {"moment": moment})]


def resources(connection: Connection, job_ids: Iterable[UUID]) -> dict[UUID, list[dict[str, Any]]]:
    """What each job has found or made."""
    rows = connection.execute(_RESOURCES, {"job_ids": list(job_ids)})
    return {job_id: found or [] for job_id, found in rows}
