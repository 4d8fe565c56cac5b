"""Provisioner daemons, their keys, and the jobs that they do"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def by_code_point(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "provisioner_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("name_key", by_code_point(64), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_provisioner_keys_organization_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provisioner_keys")),
        sa.UniqueConstraint("organization_id", "name_key", name=op.f("uq_provisioner_keys_organization_id_name_key")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_provisioner_keys_secret_hash")),
    )

    op.create_table(
        "provisioner_daemons",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("name_key", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(length=36), nullable=False),
        sa.Column("provisioners", sa.JSON(), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("version", sa.String(length=128), nullable=False),
        sa.Column("api_version", sa.String(length=16), nullable=False),
        sa.Column("login", sa.String(length=8), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_provisioner_daemons_organization_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["key_id"], ["provisioner_keys.id"], name=op.f("fk_provisioner_daemons_key_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provisioner_daemons")),
        sa.UniqueConstraint(
            "organization_id", "name_key", "owner", name=op.f("uq_provisioner_daemons_organization_id_name_key_owner")
        ),
    )
    op.create_index(op.f("ix_provisioner_daemons_key_id"), "provisioner_daemons", ["key_id"])

    op.create_table(
        "files",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("created_by_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("mimetype", sa.String(length=64), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_files_created_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_files")),
        sa.UniqueConstraint("hash", "created_by_id", name=op.f("uq_files_hash_created_by_id")),
    )

    op.create_table(
        "provisioner_jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("initiator_id", sa.Uuid(), nullable=False),
        sa.Column("provisioner", sa.String(length=16), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("input", sa.JSON(), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("canceled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("worker_id", sa.Uuid(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("error_code", sa.String(length=64), nullable=False),
        sa.Column("logs_size", sa.Integer(), nullable=False),
        sa.Column("logs_overflowed", sa.Boolean(), nullable=False),
        sa.Column("resources", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_provisioner_jobs_organization_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["initiator_id"], ["users.id"], name=op.f("fk_provisioner_jobs_initiator_id")),
        sa.ForeignKeyConstraint(["file_id"], ["files.id"], name=op.f("fk_provisioner_jobs_file_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provisioner_jobs")),
    )
    unfinished = sa.text("completed_at IS NULL")
    op.create_index(
        op.f("ix_provisioner_jobs_unfinished"),
        "provisioner_jobs",
        ["organization_id", "created_at"],
        sqlite_where=unfinished,
        postgresql_where=unfinished,
    )
    op.create_index(
        op.f("ix_provisioner_jobs_worker_id_completed_at"), "provisioner_jobs", ["worker_id", "completed_at"]
    )

    op.create_table(
        "provisioner_job_logs",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("level", sa.String(length=8), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("output", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["provisioner_jobs.id"], name=op.f("fk_provisioner_job_logs_job_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provisioner_job_logs")),
    )
    op.create_index(op.f("ix_provisioner_job_logs_job_id"), "provisioner_job_logs", ["job_id"])
