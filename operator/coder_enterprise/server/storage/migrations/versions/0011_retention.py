"""Indexes of what is listed and removed by age; where a change came from; ids of logs that do not run out"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

INDEXES = (
    ("api_keys", ["expires_at"]),
    ("audit_log", ["time"]),
    ("audit_log", ["user_id", "id"]),
    ("audit_log", ["resource_type", "id"]),
    ("audit_log", ["action", "id"]),
    ("files", ["created_by_id"]),
    ("provisioner_jobs", ["file_id"]),
    ("provisioner_jobs", ["completed_at"]),
)


def upgrade() -> None:
    op.add_column("audit_log", sa.Column("ip", sa.String(64), nullable=False, server_default=""))
    op.add_column("audit_log", sa.Column("request_id", sa.String(128), nullable=False, server_default=""))
    for table, columns in INDEXES:
        op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, columns)
    if op.get_bind().dialect.name == "postgresql":  # SQLite's have 64 bits
        op.alter_column("provisioner_job_logs", "id", type_=sa.BigInteger())
        op.execute("ALTER SEQUENCE provisioner_job_logs_id_seq AS bigint")
