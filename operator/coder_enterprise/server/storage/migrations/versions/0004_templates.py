"""Templates, and who may use them"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "templates",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("name_key", sa.String(length=32), nullable=True),
        sa.Column("display_name", sa.String(length=64), nullable=False),
        sa.Column("description", sa.String(length=128), nullable=False),
        sa.Column("icon", sa.String(length=256), nullable=False),
        sa.Column("active_version_id", sa.Uuid(), nullable=False),
        sa.Column("settings", DOCUMENT, nullable=False),
        sa.Column("created_by_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_templates_organization_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_templates_created_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_templates")),
        sa.UniqueConstraint("organization_id", "name_key", name=op.f("uq_templates_organization_id_name_key")),
    )
    for table, subject in (("template_users", "user"), ("template_groups", "group")):
        op.create_table(
            table,
            sa.Column("template_id", sa.Uuid(), nullable=False),
            sa.Column(f"{subject}_id", sa.Uuid(), nullable=False),
            sa.Column("role", sa.String(length=16), nullable=False),
            sa.ForeignKeyConstraint(
                ["template_id"], ["templates.id"], name=op.f(f"fk_{table}_template_id"), ondelete="CASCADE"
            ),
            sa.ForeignKeyConstraint(
                [f"{subject}_id"], [f"{subject}s.id"], name=op.f(f"fk_{table}_{subject}_id"), ondelete="CASCADE"
            ),
            sa.PrimaryKeyConstraint("template_id", f"{subject}_id", name=op.f(f"pk_{table}")),
        )
        op.create_index(op.f(f"ix_{table}_{subject}_id"), table, [f"{subject}_id"])
