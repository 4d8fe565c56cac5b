"""Processes that serve the deployment: replicas of the server, and those of workspace proxies."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, delete, insert, literal, select, update

from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.schema import replicas


class Replica(NamedTuple):
    id: UUID
    is_primary: bool
    """Whether it is one of the server itself."""
    region_id: int
    hostname: str
    relay_address: str
    error: str
    database_latency: int
    """Microseconds."""
    created_at: datetime
    seen_at: datetime
    stopped_at: datetime | None


_COLUMNS = tuple(replicas.c[name] for name in Replica._fields)
_INSERT = insert(replicas)
_GET = select(*_COLUMNS).where(replicas.c.id == bindparam("replica_id"))
_LIVING = (
    select(*_COLUMNS)
    .where(
        replicas.c.stopped_at.is_(None),
        replicas.c.seen_at >= bindparam("since"),
        replicas.c.is_primary == bindparam("primary"),
        replicas.c.region_id == bindparam("region"),
    )
    .order_by(replicas.c.created_at, replicas.c.id)
)
_UPDATE = (
    update(replicas)
    .where(replicas.c.id == bindparam("replica_id"))
    .values({column: bindparam(f"new_{column.name}") for column in _COLUMNS if column.name != "id"})
)
_STOP = (
    update(replicas)
    .where(replicas.c.id == bindparam("replica_id"))
    .values(stopped_at=bindparam("moment"), database_latency=0)
)
_FORGET = delete(replicas).where(replicas.c.seen_at < bindparam("before"))
_PING = select(literal(1))


def ping(connection: Connection) -> None:
    connection.execute(_PING)


def get(connection: Connection, replica_id: UUID) -> Replica | None:
    """Also one that is stopped."""
    row = connection.execute(_GET, {"replica_id": replica_id}).first()
    return Replica(*row) if row else None


def living(connection: Connection, since: datetime, *, is_primary: bool, region_id: int) -> list[Replica]:
    """The oldest first: those seen since then, and not stopped."""
    values = {"since": since, "primary": is_primary, "region": region_id}
    return [Replica(*row) for row in connection.execute(_LIVING, values)]


def put(connection: Connection, replica: Replica) -> None:
    values = {f"new_{name}": value for name, value in replica._asdict().items() if name != "id"}
    if not connection.execute(_UPDATE, values | {"replica_id": replica.id}).rowcount:
        connection.execute(_INSERT, replica._asdict())


def stop(connection: Connection, replica_id: UUID, moment: datetime) -> None:
    connection.execute(_STOP, {"replica_id": replica_id, "moment": moment})


def forget(connection: Connection, before: datetime) -> None:
    """Those that were not seen since."""
    connection.execute(_FORGET, {"before": before})
