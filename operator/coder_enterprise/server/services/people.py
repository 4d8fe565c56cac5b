"""How users are shown: wherever the API names people."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from coder_enterprise.server.access import ROLE_NAMES
from coder_enterprise.server.storage import users
from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.schema import NEVER
from coder_enterprise.server.storage.users import User
from coder_enterprise.wire.users import Role, SDKUser


def role(name: str) -> Role:
    return Role.model_construct(name=name, display_name=ROLE_NAMES.get(name, name))


def to_wire(row: User, organization_ids: Sequence[UUID]) -> SDKUser:
    """The row comes from the database, so it is not validated again."""
    return SDKUser.model_construct(
        id=row.id,
        username=row.username,
        email=row.email,
        created_at=row.created_at,
        last_seen_at=row.last_seen_at,
        status=row.status,  # type: ignore[arg-type]
        login_type=row.login_type,  # type: ignore[arg-type]
        organization_ids=list(organization_ids),
        roles=[role(name) for name in row.roles],
        avatar_url=row.avatar_url,
        name=row.name,
        updated_at=row.updated_at,
    )


def named(row: User) -> SDKUser:
    """Names alone, for those who may not read people."""
    shown = to_wire(row, [])
    return shown.model_copy(update={"email": "", "roles": [], "last_seen_at": NEVER, "login_type": "none"})


def all_to_wire(connection: Connection, rows: Sequence[User]) -> list[SDKUser]:
    joined = users.organizations_of(connection, [row.id for row in rows])
    return [to_wire(row, joined[row.id]) for row in rows]


def one(connection: Connection, row: User) -> SDKUser:
    return all_to_wire(connection, [row])[0]
