"""When workspaces are to start and to stop, and which are dormant"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("workspaces", sa.Column("autostart_schedule", sa.String(128), nullable=True))
    op.add_column("workspaces", sa.Column("ttl_ms", sa.BigInteger(), nullable=True))
    op.add_column("workspaces", sa.Column("dormant_at", sa.DateTime(timezone=True), nullable=True))
