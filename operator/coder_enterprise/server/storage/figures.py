"""How much there is of what an operator of the server looks after: one look, for `services.metrics`."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import bindparam, case, func, select

from coder_enterprise.server.storage import proxies, users
from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.proxies import Proxy
from coder_enterprise.server.storage.schema import provisioner_daemons, provisioner_jobs

_DAEMONS = (
    select(func.count())
    .select_from(provisioner_daemons)
    .where(provisioner_daemons.c.last_seen_at >= bindparam("since"))
)
_IS_PENDING = provisioner_jobs.c.started_at.is_(None)
_JOBS = select(
    func.count(case((_IS_PENDING, 1))),
    func.count(case((~_IS_PENDING, 1))),
    func.min(case((_IS_PENDING, provisioner_jobs.c.created_at))),
).where(provisioner_jobs.c.completed_at.is_(None))


class Figures(NamedTuple):
    active_users: int
    proxies: list[Proxy]
    daemons: int
    pending_jobs: int
    running_jobs: int
    oldest_pending_job: datetime | None
    """When it was made."""


def look(connection: Connection, since: datetime) -> Figures:
    """A daemon counts when it was seen `since`."""
    pending, running, oldest = connection.execute(_JOBS).one()
    return Figures(
        active_users=users.count(connection, users.Filter(statuses=("active",))),
        proxies=proxies.all_of(connection),
        daemons=connection.execute(_DAEMONS, {"since": since}).scalar_one(),
        pending_jobs=pending,
        running_jobs=running,
        oldest_pending_job=oldest,
    )
