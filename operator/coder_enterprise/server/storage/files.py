"""Uploaded files: the same bytes of the same user are kept once."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, exists, func, insert, select

from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.schema import files, provisioner_jobs


class File(NamedTuple):
    id: UUID
    hash: str
    """SHA-256 in hexadecimal digits."""
    created_by_id: UUID
    created_at: datetime
    mimetype: str
    data: bytes


# Statements are built once: building one costs more than running it.
_COLUMNS = tuple(files.c[name] for name in File._fields)
_GET = select(*_COLUMNS).where(files.c.id == bindparam("file_id"))
_OWNER = select(files.c.created_by_id).where(files.c.id == bindparam("file_id"))
_SAME = select(files.c.id).where(files.c.hash == bindparam("digest"), files.c.created_by_id == bindparam("user_id"))
_UNUSED = select(func.coalesce(func.sum(func.length(files.c.data)), 0)).where(
    files.c.created_by_id == bindparam("user_id"), ~exists().where(provisioner_jobs.c.file_id == files.c.id)
)


def create(connection: Connection, file: File) -> None:
    connection.execute(insert(files), file._asdict())


def get(connection: Connection, file_id: UUID) -> File | None:
    row = connection.execute(_GET, {"file_id": file_id}).first()
    return File(*row) if row else None


def owner(connection: Connection, file_id: UUID) -> UUID | None:
    """None when there is no such file."""
    return connection.execute(_OWNER, {"file_id": file_id}).scalar()


def same(connection: Connection, digest: str, user_id: UUID) -> UUID | None:
    return connection.execute(_SAME, {"digest": digest, "user_id": user_id}).scalar()


def unused(connection: Connection, user_id: UUID) -> int:
    """Bytes of the user's files that no job has read."""
    return int(connection.execute(_UNUSED, {"user_id": user_id}).scalar_one())
