"""What daemons have logged of jobs. Ids grow with time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import (
    bindparam,
    insert,
    select,
)

from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.schema import (
    provisioner_job_logs,
)

MAX_LOG_ID: Final = 2**63 - 1


class Log(NamedTuple):
    created_at: datetime
    source: str
    level: str
    stage: str
    output: str


class Numbered(NamedTuple):
    id: int
    log: Log


# Statements are built once: building one costs more than running it.
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


def add(connection: Connection, job_id: UUID, lines: Iterable[Log]) -> None:
    rows = [log._asdict() | {"job_id": job_id} for log in lines]
    if rows:
        connection.execute(insert(provisioner_job_logs), rows)


def read(connection: Connection, job_id: UUID, after: int, before: int | None = None) -> list[Numbered]:
    """Those whose id is greater than `after` and less than `before`, oldest first."""
    values = {"job_id": job_id, "after": after, "before": MAX_LOG_ID if before is None else before}
    rows = connection.execute(_LOGS, values)
    return [Numbered(row[0], Log(*row[1:])) for row in rows]
