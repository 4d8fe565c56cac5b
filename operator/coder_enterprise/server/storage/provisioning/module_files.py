"""Archives of the Terraform modules that templates use, in pieces that fit into messages.

One belongs to the import that brings it until a template version uses it; then it stays.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, delete, insert, select, update

from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.schema import module_file_pieces, module_files


class ModuleFile(NamedTuple):
    id: UUID
    organization_id: UUID
    hash: str
    """SHA-256 in hexadecimal digits."""
    size: int
    """Bytes."""
    pieces: int
    job_id: UUID | None
    """The import that brings it; None once a template version uses it."""
    complete: bool
    created_at: datetime


# Statements are built once: building one costs more than running it.
_TABLE = module_files.c
_COLUMNS = tuple(_TABLE[name] for name in ModuleFile._fields)
_GET = select(*_COLUMNS).where(_TABLE.id == bindparam("file_id"))
_COMPLETE = select(*_COLUMNS).where(_TABLE.complete, _TABLE.hash == bindparam("digest"))
_OF_JOB = _COMPLETE.where(_TABLE.job_id == bindparam("its_job"))
_USED = _COMPLETE.where(_TABLE.organization_id == bindparam("its_organization"), _TABLE.job_id.is_(None)).limit(1)
_PIECE = select(module_file_pieces.c.data).where(
    module_file_pieces.c.file_id == bindparam("file_id"), module_file_pieces.c.number == bindparam("piece")
)
_CHANGE = update(module_files).where(_TABLE.id == bindparam("file_id"))
_REMOVE = delete(module_files).where(_TABLE.job_id == bindparam("its_job"))


def create(connection: Connection, file: ModuleFile) -> None:
    connection.execute(insert(module_files), file._asdict())


def get(connection: Connection, file_id: UUID) -> ModuleFile | None:
    row = connection.execute(_GET, {"file_id": file_id}).first()
    return ModuleFile(*row) if row else None


def add_piece(connection: Connection, file_id: UUID, number: int, data: bytes) -> None:
    connection.execute(insert(module_file_pieces), {"file_id": file_id, "number": number, "data": data})


def piece(connection: Connection, file_id: UUID, number: int) -> bytes:
    """From 0."""
    return bytes(connection.execute(_PIECE, {"file_id": file_id, "piece": number}).scalar_one())


def complete(connection: Connection, file_id: UUID) -> None:
    """All of it has come."""
    connection.execute(_CHANGE.values(complete=True), {"file_id": file_id})


def of_job(connection: Connection, job_id: UUID, digest: str) -> ModuleFile | None:
    """What the import has brought, if it has come completely."""
    row = connection.execute(_OF_JOB, {"its_job": job_id, "digest": digest}).first()
    return ModuleFile(*row) if row else None


def used(connection: Connection, organization_id: UUID, digest: str) -> ModuleFile | None:
    """The same bytes, as a template version of the organization uses them."""
    row = connection.execute(_USED, {"its_organization": organization_id, "digest": digest}).first()
    return ModuleFile(*row) if row else None


def use(connection: Connection, file_id: UUID) -> None:
    """A template version uses it from now on."""
    connection.execute(_CHANGE.values(job_id=None), {"file_id": file_id})


def remove_of_job(connection: Connection, job_id: UUID) -> None:
    """What the import has brought and nothing uses."""
    connection.execute(_REMOVE, {"its_job": job_id})
