"""Workspace proxies"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def by_code_point(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "proxies",
        sa.Column("serial", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("name_key", by_code_point(64), nullable=True),
        sa.Column("display_name", sa.String(length=64), nullable=False),
        sa.Column("icon", sa.String(length=2048), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("url", sa.String(length=2048), nullable=False),
        sa.Column("wildcard_hostname", sa.String(length=253), nullable=False),
        sa.Column("derp_enabled", sa.Boolean(), nullable=False),
        sa.Column("derp_only", sa.Boolean(), nullable=False),
        sa.Column("version", sa.String(length=128), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_proxies")),
        sa.UniqueConstraint("id", name=op.f("uq_proxies_id")),
        sa.UniqueConstraint("name_key", name=op.f("uq_proxies_name_key")),
    )
