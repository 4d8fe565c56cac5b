"""With which program, and in which organization something was changed"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("audit_log", sa.Column("user_agent", sa.String(256), nullable=False, server_default=""))
    op.add_column("audit_log", sa.Column("organization_id", sa.Uuid(), nullable=True))
    op.create_index(op.f("ix_audit_log_resource_id"), "audit_log", ["resource_id"])
