"""Which template versions have agents that run elsewhere; an index for lists of jobs"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "template_versions", sa.Column("has_external_agent", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.create_index(
        op.f("ix_provisioner_jobs_organization_id_created_at"), "provisioner_jobs", ["organization_id", "created_at"]
    )
