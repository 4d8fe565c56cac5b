"""Users' SSH keys for Git. A user has none until somebody needs it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, insert, select, update

from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.schema import git_ssh_keys


class GitSSHKey(NamedTuple):
    user_id: UUID
    public_key: str
    private_key: list[dict[str, Any]]
    """One value, as `services.variables` keeps it."""
    created_at: datetime
    updated_at: datetime


# Statements are built once: building one costs more than running it.
_COLUMNS = tuple(git_ssh_keys.c[name] for name in GitSSHKey._fields)
_GET = select(*_COLUMNS).where(git_ssh_keys.c.user_id == bindparam("of_user"))
_PRIVATE_KEYS = (
    select(git_ssh_keys.c.user_id, git_ssh_keys.c.private_key)
    .where(git_ssh_keys.c.user_id > bindparam("after"))
    .order_by(git_ssh_keys.c.user_id)
    .limit(bindparam("count"))
)


def create(connection: Connection, key: GitSSHKey) -> None:
    connection.execute(insert(git_ssh_keys), key._asdict())


def get(connection: Connection, user_id: UUID) -> GitSSHKey | None:
    row = connection.execute(_GET, {"of_user": user_id}).first()
    return GitSSHKey(*row) if row else None


def update_fields(connection: Connection, user_id: UUID, values: dict[str, Any]) -> None:
    connection.execute(update(git_ssh_keys).where(git_ssh_keys.c.user_id == user_id).values(**values))


def private_keys_after(connection: Connection, after: UUID, count: int) -> list[tuple[UUID, list[dict[str, Any]]]]:
    """By id, of all users."""
    return [(row[0], row[1]) for row in connection.execute(_PRIVATE_KEYS, {"after": after, "count": count})]
