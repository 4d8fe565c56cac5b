"""What templates suggest for parameters"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("template_versions", sa.Column("presets", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("workspace_builds", sa.Column("preset_id", sa.Uuid(), nullable=True))
