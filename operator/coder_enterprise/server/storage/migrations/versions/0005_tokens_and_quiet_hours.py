"""Tokens with names and lifetimes, and quiet hours"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

LOGIN_LIFETIME = 24 * 60 * 60
"""Seconds, of every login until now."""


def upgrade() -> None:
    op.create_table(
        "quiet_hours",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("schedule", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_quiet_hours_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_quiet_hours")),
    )
    op.add_column("api_keys", sa.Column("name", sa.String(length=64), nullable=True))
    op.add_column("api_keys", sa.Column("lifetime_seconds", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_index(op.f("ix_api_keys_user_id_name"), "api_keys", ["user_id", "name"], unique=True)
    keys = sa.table("api_keys", sa.column("purpose", sa.String()), sa.column("lifetime_seconds", sa.BigInteger()))
    op.execute(sa.update(keys).where(keys.c.purpose == "login").values(lifetime_seconds=LOGIN_LIFETIME))
