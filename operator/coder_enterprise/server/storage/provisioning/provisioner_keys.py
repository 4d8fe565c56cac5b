"""Keys that provisioner daemons come with, as hashes."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, delete, insert, select

from coder_enterprise.server.storage.database import Connection, unique
from coder_enterprise.server.storage.schema import provisioner_keys


class ProvisionerKey(NamedTuple):
    id: UUID
    organization_id: UUID
    name: str
    secret_hash: bytes
    tags: dict[str, str]
    created_at: datetime


# Statements are built once: building one costs more than running it.
_COLUMNS = tuple(provisioner_keys.c[name] for name in ProvisionerKey._fields)
_OF_ORGANIZATION = select(*_COLUMNS).where(provisioner_keys.c.organization_id == bindparam("organization_id"))
_LIST = _OF_ORGANIZATION.order_by(provisioner_keys.c.name_key)
_BY_NAME = _OF_ORGANIZATION.where(provisioner_keys.c.name_key == bindparam("key"))
_BY_HASH = select(*_COLUMNS).where(provisioner_keys.c.secret_hash == bindparam("hash"))
_DELETE = delete(provisioner_keys).where(provisioner_keys.c.id == bindparam("key_id"))


def create(connection: Connection, key: ProvisionerKey) -> None:
    """Raises `Duplicate` when the organization has a key of that name, in any case."""
    with unique(connection):
        connection.execute(insert(provisioner_keys), key._asdict() | {"name_key": key.name.lower()})


def of_organization(connection: Connection, organization_id: UUID) -> list[ProvisionerKey]:
    """By name."""
    return [ProvisionerKey(*row) for row in connection.execute(_LIST, {"organization_id": organization_id})]


def by_name(connection: Connection, organization_id: UUID, name: str) -> ProvisionerKey | None:
    """Without regard to case."""
    row = connection.execute(_BY_NAME, {"organization_id": organization_id, "key": name.lower()}).first()
    return ProvisionerKey(*row) if row else None


def by_hash(connection: Connection, secret_hash: bytes) -> ProvisionerKey | None:
    row = connection.execute(_BY_HASH, {"hash": secret_hash}).first()
    return ProvisionerKey(*row) if row else None


def remove(connection: Connection, key_id: UUID) -> None:
    """With the daemons that came with it."""
    connection.execute(_DELETE, {"key_id": key_id})
