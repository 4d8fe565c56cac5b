"""Tables of provisioner daemons and their jobs."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)

from coder_enterprise.server.storage.schema.columns import COUNTER, Canonical, Moment, by_code_point, metadata

provisioner_keys: Final = Table(
    "provisioner_keys",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("organization_id", Uuid, ForeignKey("organizations.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(64), nullable=False),
    Column("name_key", by_code_point(64), nullable=False),
    Column("secret_hash", LargeBinary(32), nullable=False, unique=True),
    Column("tags", Canonical, nullable=False),
    Column("created_at", Moment, nullable=False),
    UniqueConstraint("organization_id", "name_key"),
)

# The owner is the user whose jobs alone the daemon does, or "".
provisioner_daemons: Final = Table(
    "provisioner_daemons",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("organization_id", Uuid, ForeignKey("organizations.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(64), nullable=False),
    Column("name_key", String(64), nullable=False),
    Column("owner", String(36), nullable=False),
    Column("provisioners", JSON, nullable=False),
    Column("tags", Canonical, nullable=False),
    Column("version", String(128), nullable=False),
    Column("api_version", String(16), nullable=False),
    Column("login", String(8), nullable=False),
    Column("key_id", Uuid, ForeignKey("provisioner_keys.id", ondelete="CASCADE"), nullable=True, index=True),
    Column("created_at", Moment, nullable=False),
    Column("last_seen_at", Moment, nullable=False),
    UniqueConstraint("organization_id", "name_key", "owner"),
)

files: Final = Table(
    "files",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("hash", String(64), nullable=False),
    Column("created_by_id", Uuid, ForeignKey("users.id"), nullable=False, index=True),
    Column("created_at", Moment, nullable=False),
    Column("mimetype", String(64), nullable=False),
    Column("data", LargeBinary, nullable=False),
    UniqueConstraint("hash", "created_by_id"),
)

# A worker is a daemon, whose row may be gone.
provisioner_jobs: Final = Table(
    "provisioner_jobs",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("organization_id", Uuid, ForeignKey("organizations.id", ondelete="CASCADE"), nullable=False),
    Column("initiator_id", Uuid, ForeignKey("users.id"), nullable=False),
    Column("provisioner", String(16), nullable=False),
    Column("type", String(32), nullable=False),
    Column("input", JSON, nullable=False),
    Column("tags", Canonical, nullable=False),
    Column("file_id", Uuid, ForeignKey("files.id"), nullable=False, index=True),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("started_at", Moment, nullable=True),
    Column("completed_at", Moment, nullable=True, index=True),
    Column("canceled_at", Moment, nullable=True),
    Column("worker_id", Uuid, nullable=True),
    Column("error", Text, nullable=False),
    Column("error_code", String(64), nullable=False),
    Column("logs_size", Integer, nullable=False),
    Column("logs_overflowed", Boolean, nullable=False),
    Column("resources", JSON(none_as_null=True), nullable=True),
    Index(None, "organization_id", "created_at"),
)
_UNFINISHED: Final = provisioner_jobs.c.completed_at.is_(None)
Index(
    "ix_provisioner_jobs_unfinished",
    provisioner_jobs.c.organization_id,
    provisioner_jobs.c.created_at,
    sqlite_where=_UNFINISHED,
    postgresql_where=_UNFINISHED,
)
Index("ix_provisioner_jobs_worker_id_completed_at", provisioner_jobs.c.worker_id, provisioner_jobs.c.completed_at)

provisioner_job_logs: Final = Table(
    "provisioner_job_logs",
    metadata,
    Column("id", COUNTER, primary_key=True, autoincrement=True),
    Column("job_id", Uuid, ForeignKey("provisioner_jobs.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", Moment, nullable=False),
    Column("source", String(32), nullable=False),
    Column("level", String(8), nullable=False),
    Column("stage", Text, nullable=False),
    Column("output", Text, nullable=False),
)

# What a daemon brings belongs to its job until a template version uses it, and then to nobody but that version and
# others with the same modules.
module_files: Final = Table(
    "module_files",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("organization_id", Uuid, ForeignKey("organizations.id", ondelete="CASCADE"), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("size", Integer, nullable=False),
    Column("pieces", Integer, nullable=False),
    Column("job_id", Uuid, ForeignKey("provisioner_jobs.id", ondelete="CASCADE"), nullable=True, index=True),
    Column("complete", Boolean, nullable=False),
    Column("created_at", Moment, nullable=False),
    Index(None, "organization_id", "hash"),
)

module_file_pieces: Final = Table(
    "module_file_pieces",
    metadata,
    Column("file_id", Uuid, ForeignKey("module_files.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)
