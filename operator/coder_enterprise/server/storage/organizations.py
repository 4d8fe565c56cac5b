"""Organizations, and who belongs to them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, func, insert, select

from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.schema import organization_members, organizations


class Organization(NamedTuple):
    id: UUID
    name: str
    display_name: str
    is_default: bool
    created_at: datetime
    updated_at: datetime


# Statements are built once: building one costs more than running it.
_GET = select(organizations).where(organizations.c.id == bindparam("organization_id"))
_BY_NAME = select(organizations).where(func.lower(organizations.c.name) == bindparam("lower_name"))
_DEFAULT = select(organizations).where(organizations.c.is_default)
_ALL = select(organizations).order_by(organizations.c.name)
_OF_USER = _ALL.join(organization_members).where(organization_members.c.user_id == bindparam("user_id"))
_MEMBERS_AMONG = select(organization_members.c.user_id).where(
    organization_members.c.organization_id == bindparam("organization_id"),
    organization_members.c.user_id.in_(bindparam("user_ids", expanding=True)),
)


def create(connection: Connection, organization: Organization) -> None:
    connection.execute(insert(organizations), organization._asdict())


def get(connection: Connection, organization_id: UUID) -> Organization | None:
    row = connection.execute(_GET, {"organization_id": organization_id}).first()
    return Organization(*row) if row else None


def by_name(connection: Connection, name: str) -> Organization | None:
    """Without regard to case."""
    row = connection.execute(_BY_NAME, {"lower_name": name.lower()}).first()
    return Organization(*row) if row else None


def default(connection: Connection) -> Organization | None:
    row = connection.execute(_DEFAULT).first()
    return Organization(*row) if row else None


def all_of(connection: Connection) -> list[Organization]:
    return [Organization(*row) for row in connection.execute(_ALL)]


def of_user(connection: Connection, user_id: UUID) -> list[Organization]:
    return [Organization(*row) for row in connection.execute(_OF_USER, {"user_id": user_id})]


def add_member(connection: Connection, organization_id: UUID, user_id: UUID, moment: datetime) -> None:
    values = {"organization_id": organization_id, "user_id": user_id, "created_at": moment}
    connection.execute(insert(organization_members), values)


def members_among(connection: Connection, organization_id: UUID, user_ids: Iterable[UUID]) -> set[UUID]:
    """Those of `user_ids` that belong to the organization."""
    values = {"organization_id": organization_id, "user_ids": list(user_ids)}
    return set(connection.execute(_MEMBERS_AMONG, values).scalars())
