"""Tables of templates and of the workspaces that are made from them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    false,
)

from coder_enterprise.server.storage.schema.columns import DOCUMENT, Canonical, Moment, by_code_point, metadata

# The key is the name in lower case; a deleted template has none, so that the name is free again.
templates: Final = Table(
    "templates",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("organization_id", Uuid, ForeignKey("organizations.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(32), nullable=False),
    Column("name_key", String(32), nullable=True),
    Column("display_name", String(64), nullable=False),
    Column("description", String(128), nullable=False),
    Column("icon", String(256), nullable=False),
    Column("active_version_id", Uuid, nullable=False),
    Column("settings", DOCUMENT, nullable=False),
    Column("created_by_id", Uuid, ForeignKey("users.id"), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    UniqueConstraint("organization_id", "name_key"),
)

template_users: Final = Table(
    "template_users",
    metadata,
    Column("template_id", Uuid, ForeignKey("templates.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", Uuid, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("role", String(16), nullable=False),
)

template_groups: Final = Table(
    "template_groups",
    metadata,
    Column("template_id", Uuid, ForeignKey("templates.id", ondelete="CASCADE"), primary_key=True),
    Column("group_id", Uuid, ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("role", String(16), nullable=False),
)

# The job has read the file when it has completed: only then are readme, variables, parameters and modules known.
template_versions: Final = Table(
    "template_versions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("organization_id", Uuid, ForeignKey("organizations.id", ondelete="CASCADE"), nullable=False),
    Column("template_id", Uuid, ForeignKey("templates.id", ondelete="CASCADE"), nullable=True),
    Column("job_id", Uuid, ForeignKey("provisioner_jobs.id"), nullable=False, unique=True),
    Column("created_by_id", Uuid, ForeignKey("users.id"), nullable=False),
    Column("name", String(64), nullable=False),
    Column("message", Text, nullable=False),
    Column("readme", Text, nullable=False),
    Column("variables", JSON, nullable=False),
    Column("parameters", JSON, nullable=False),
    Column("workspace_tags", Canonical, nullable=False),
    Column("module_file_id", Uuid, nullable=True),
    Column("has_external_agent", Boolean, nullable=False, server_default=false()),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("variable_definitions", JSON, nullable=False, server_default="[]"),
    Column("presets", JSON, nullable=False, server_default="[]"),
    UniqueConstraint("template_id", "name"),
)

# The key is the name in lower case; a deleted workspace has none, so that the name is free again.
workspaces: Final = Table(
    "workspaces",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("organization_id", Uuid, ForeignKey("organizations.id", ondelete="CASCADE"), nullable=False),
    Column("owner_id", Uuid, ForeignKey("users.id"), nullable=False),
    Column("template_id", Uuid, ForeignKey("templates.id"), nullable=False, index=True),
    Column("name", String(32), nullable=False),
    Column("name_key", by_code_point(32), nullable=True),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("autostart_schedule", String(128), nullable=True),
    Column("ttl_ms", BigInteger, nullable=True),
    Column("dormant_at", Moment, nullable=True),
    UniqueConstraint("owner_id", "name_key"),
)

workspace_builds: Final = Table(
    "workspace_builds",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("workspace_id", Uuid, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("template_version_id", Uuid, ForeignKey("template_versions.id"), nullable=False),
    Column("job_id", Uuid, ForeignKey("provisioner_jobs.id"), nullable=False, unique=True),
    Column("initiator_id", Uuid, ForeignKey("users.id"), nullable=False),
    Column("build_number", Integer, nullable=False),
    Column("transition", String(8), nullable=False),
    Column("daily_cost", Integer, nullable=False),
    Column("parameters", JSON, nullable=False),
    Column("preset_id", Uuid, nullable=True),
    Column("state", LargeBinary, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    UniqueConstraint("workspace_id", "build_number"),
)
