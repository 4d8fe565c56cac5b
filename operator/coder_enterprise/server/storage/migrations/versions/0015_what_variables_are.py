"""What a template says of its variables besides their values"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "template_versions", sa.Column("variable_definitions", sa.JSON(), nullable=False, server_default="[]")
    )
