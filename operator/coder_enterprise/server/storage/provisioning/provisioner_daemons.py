"""Provisioner daemons. One is the same as before when it has the same name, owner and organization."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, delete, func, insert, select, update

from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.schema import provisioner_daemons, provisioner_keys


class ProvisionerDaemon(NamedTuple):
    id: UUID
    organization_id: UUID
    name: str
    owner: str
    """The id of the user whose jobs alone it does, or ""."""
    provisioners: list[str]
    tags: dict[str, str]
    version: str
    api_version: str
    login: str
    """What it came with: key, psk or session."""
    key_id: UUID | None
    created_at: datetime
    last_seen_at: datetime


# Statements are built once: building one costs more than running it.
_COLUMNS = tuple(provisioner_daemons.c[name] for name in ProvisionerDaemon._fields)
_OF_ORGANIZATION = (
    select(*_COLUMNS, provisioner_keys.c.name)
    .outerjoin(provisioner_keys, provisioner_keys.c.id == provisioner_daemons.c.key_id)
    .where(provisioner_daemons.c.organization_id == bindparam("organization_id"))
    .order_by(provisioner_daemons.c.created_at.desc(), provisioner_daemons.c.id)
)
_SAME = select(provisioner_daemons.c.id, provisioner_daemons.c.created_at).where(
    provisioner_daemons.c.organization_id == bindparam("organization_id"),
    provisioner_daemons.c.name_key == bindparam("key"),
    provisioner_daemons.c.owner == bindparam("daemon_owner"),
)
_TOUCH = update(provisioner_daemons).where(provisioner_daemons.c.id == bindparam("daemon_id"))
_COUNT = select(func.count()).where(provisioner_daemons.c.owner == bindparam("daemon_owner"))
_IS_THERE = select(provisioner_daemons.c.id).where(provisioner_daemons.c.id == bindparam("daemon_id"))
_PURGE = delete(provisioner_daemons).where(provisioner_daemons.c.last_seen_at < bindparam("moment"))


def put(connection: Connection, daemon: ProvisionerDaemon) -> ProvisionerDaemon:
    """As it is kept: with the id and the age of the one that it replaces."""
    key = daemon.name.lower()
    values = {"organization_id": daemon.organization_id, "key": key, "daemon_owner": daemon.owner}
    known = connection.execute(_SAME, values).first()
    if known is None:
        connection.execute(insert(provisioner_daemons), daemon._asdict() | {"name_key": key})
        return daemon
    kept = daemon._replace(id=known.id, created_at=known.created_at)
    connection.execute(update(provisioner_daemons).where(provisioner_daemons.c.id == kept.id), kept._asdict())
    return kept


def touch(connection: Connection, daemon_id: UUID, moment: datetime) -> bool:
    """Whether it is still there."""
    result = connection.execute(_TOUCH.values(last_seen_at=moment), {"daemon_id": daemon_id})
    return result.rowcount == 1


def is_there(connection: Connection, daemon_id: UUID) -> bool:
    return connection.execute(_IS_THERE, {"daemon_id": daemon_id}).first() is not None


def count_of_owner(connection: Connection, owner: str) -> int:
    return int(connection.execute(_COUNT, {"daemon_owner": owner}).scalar_one())


def of_organization(connection: Connection, organization_id: UUID) -> list[tuple[ProvisionerDaemon, str]]:
    """Newest first, each with the name of its key, or ""."""
    rows = connection.execute(_OF_ORGANIZATION, {"organization_id": organization_id})
    return [(ProvisionerDaemon(*row[:-1]), row[-1] or "") for row in rows]


def purge(connection: Connection, moment: datetime) -> None:
    """Those that were not seen since."""
    connection.execute(_PURGE, {"moment": moment})
