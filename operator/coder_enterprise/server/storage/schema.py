"""The tables. A change here needs a migration; a test compares the two."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator
from typing_extensions import override

DOCUMENT: Final = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
COUNTER: Final = BigInteger().with_variant(Integer, "sqlite")
"""Of rows without end. SQLite counts by itself only in what it calls INTEGER, and that has 64 bits, too."""

NEVER: Final = datetime(1, 1, 1, tzinfo=UTC)
"""How the API writes a moment that has not been."""

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Moment(TypeDecorator[datetime]):
    """A time in UTC; SQLite keeps no zone, so it is added when read."""

    impl = DateTime(timezone=True)
    cache_ok = True

    @override
    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None or value.tzinfo is not None:
            return value  # type: ignore[no-any-return]
        return value.replace(tzinfo=UTC)  # type: ignore[no-any-return]


def by_code_point(length: int) -> String:
    """Text that is sorted alike on both databases, whatever the locale of a PostgreSQL database."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


site_settings: Final = Table(
    "site_settings",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", DOCUMENT, nullable=False),
)

organizations: Final = Table(
    "organizations",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", by_code_point(64), nullable=False),
    Column("display_name", String(64), nullable=False),
    Column("is_default", Boolean, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    UniqueConstraint("name"),
)

# The keys are the names in lower case; a deleted user has none, so that the names are free again.
users: Final = Table(
    "users",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("username", String(32), nullable=False),
    Column("username_key", by_code_point(32), nullable=True, unique=True),
    Column("email", String(254), nullable=False),
    Column("email_key", by_code_point(254), nullable=True, unique=True),
    Column("name", String(128), nullable=False, server_default=""),
    Column("password_hash", String(256), nullable=False),
    Column("login_type", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("roles", DOCUMENT, nullable=False),
    Column("avatar_url", String(2048), nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("last_seen_at", Moment, nullable=False),
)
organization_members: Final = Table(
    "organization_members",
    metadata,
    Column("organization_id", Uuid, ForeignKey("organizations.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", Uuid, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("created_at", Moment, nullable=False),
)

groups: Final = Table(
    "groups",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("organization_id", Uuid, ForeignKey("organizations.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(255), nullable=False),
    Column("display_name", String(64), nullable=False),
    Column("avatar_url", String(2048), nullable=False),
    Column("quota_allowance", Integer, nullable=False),
    Column("source", String(16), nullable=False),
    UniqueConstraint("organization_id", "name"),
)

group_members: Final = Table(
    "group_members",
    metadata,
    Column("group_id", Uuid, ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", Uuid, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True),
)

api_keys: Final = Table(
    "api_keys",
    metadata,
    Column("id", String(10), primary_key=True),
    Column("secret_hash", LargeBinary(32), nullable=False),
    Column("user_id", Uuid, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("purpose", String(16), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("last_used_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=True, index=True),
    Column("name", String(64), nullable=True),
    Column("lifetime_seconds", BigInteger, nullable=False, server_default="0"),
    Index(None, "user_id", "name", unique=True),
)

audit_log: Final = Table(
    "audit_log",
    metadata,
    Column("id", COUNTER, primary_key=True, autoincrement=True),
    Column("time", Moment, nullable=False, index=True),
    Column("user_id", Uuid, nullable=True),
    Column("action", String(16), nullable=False),
    Column("resource_type", String(32), nullable=False),
    Column("resource_id", String(64), nullable=False),
    Column("resource_name", String(255), nullable=False),
    Column("before", DOCUMENT, nullable=True),
    Column("after", DOCUMENT, nullable=True),
    Column("ip", String(64), nullable=False, server_default=""),
    Column("request_id", String(128), nullable=False, server_default=""),
    Index(None, "user_id", "id"),
    Index(None, "resource_type", "id"),
    Index(None, "action", "id"),
)

# What identity providers call people; who has no row here was not made by one.
scim_users: Final = Table(
    "scim_users",
    metadata,
    Column("user_id", Uuid, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("user_name", String(254), nullable=False),
    Column("user_name_key", String(254), nullable=False, index=True),
    Column("external_id", String(254), nullable=True, index=True),
    Column("removed", Boolean, nullable=False),
    Column("details", DOCUMENT, nullable=False),
)

# The digest makes a licence unique: PostgreSQL indexes no text as long as one.
licenses: Final = Table(
    "licenses",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("uuid", Uuid, nullable=False),
    Column("token", Text, nullable=False),
    Column("token_digest", LargeBinary(32), nullable=False, unique=True),
    Column("uploaded_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    sqlite_autoincrement=True,
)

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

quiet_hours: Final = Table(
    "quiet_hours",
    metadata,
    Column("user_id", Uuid, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("schedule", String(128), nullable=False),
)

# A deleted proxy has no key of its name, so that the name is free again.
proxies: Final = Table(
    "proxies",
    metadata,
    Column("serial", Integer, primary_key=True, autoincrement=True),
    Column("id", Uuid, nullable=False, unique=True),
    Column("name", String(64), nullable=False),
    Column("name_key", by_code_point(64), nullable=True, unique=True),
    Column("display_name", String(64), nullable=False),
    Column("icon", String(2048), nullable=False),
    Column("token_hash", LargeBinary(32), nullable=False),
    Column("url", String(2048), nullable=False),
    Column("wildcard_hostname", String(253), nullable=False),
    Column("derp_enabled", Boolean, nullable=False),
    Column("derp_only", Boolean, nullable=False),
    Column("version", String(128), nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
)

# Processes: of this server, and of workspace proxies. One that is stopped stays for a while, so that it cannot return.
replicas: Final = Table(
    "replicas",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("is_primary", Boolean, nullable=False),
    Column("region_id", Integer, nullable=False),
    Column("hostname", String(255), nullable=False),
    Column("relay_address", String(2048), nullable=False),
    Column("error", Text, nullable=False),
    Column("database_latency", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("stopped_at", Moment, nullable=True),
)


class Canonical(TypeDecorator[dict[str, str]]):
    """Names and values as JSON in one spelling, so that the database can compare them."""

    impl = Text
    cache_ok = True

    @override
    def process_bind_param(self, value: dict[str, str] | None, dialect: Dialect) -> str | None:
        return None if value is None else json.dumps(value, sort_keys=True, separators=(",", ":"))

    @override
    def process_result_value(self, value: Any, dialect: Dialect) -> dict[str, str] | None:
        return None if value is None else json.loads(value)


provisioner_keys: Final = Table(
    "provisioner_keys",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("organization_id", Uuid, ForeignKey("organizations.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(64), nullable=False),
    Column("name_key", by_code_point(64), nullable=False),
    Column("secret_hash", LargeBinary(32), nullable=False, unique=True),
    Column("tags", Canonical, nullable=False),
    Column("created_at", Moment, nullable=False),
    UniqueConstraint("organization_id", "name_key"),
)

# The owner is the user whose jobs alone the daemon does, or "".
provisioner_daemons: Final = Table(
    "provisioner_daemons",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("organization_id", Uuid, ForeignKey("organizations.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(64), nullable=False),
    Column("name_key", String(64), nullable=False),
    Column("owner", String(36), nullable=False),
    Column("provisioners", JSON, nullable=False),
    Column("tags", Canonical, nullable=False),
    Column("version", String(128), nullable=False),
    Column("api_version", String(16), nullable=False),
    Column("login", String(8), nullable=False),
    Column("key_id", Uuid, ForeignKey("provisioner_keys.id", ondelete="CASCADE"), nullable=True, index=True),
    Column("created_at", Moment, nullable=False),
    Column("last_seen_at", Moment, nullable=False),
    UniqueConstraint("organization_id", "name_key", "owner"),
)

files: Final = Table(
    "files",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("hash", String(64), nullable=False),
    Column("created_by_id", Uuid, ForeignKey("users.id"), nullable=False, index=True),
    Column("created_at", Moment, nullable=False),
    Column("mimetype", String(64), nullable=False),
    Column("data", LargeBinary, nullable=False),
    UniqueConstraint("hash", "created_by_id"),
)

# A worker is a daemon, whose row may be gone.
provisioner_jobs: Final = Table(
    "provisioner_jobs",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("organization_id", Uuid, ForeignKey("organizations.id", ondelete="CASCADE"), nullable=False),
    Column("initiator_id", Uuid, ForeignKey("users.id"), nullable=False),
    Column("provisioner", String(16), nullable=False),
    Column("type", String(32), nullable=False),
    Column("input", JSON, nullable=False),
    Column("tags", Canonical, nullable=False),
    Column("file_id", Uuid, ForeignKey("files.id"), nullable=False, index=True),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("started_at", Moment, nullable=True),
    Column("completed_at", Moment, nullable=True, index=True),
    Column("canceled_at", Moment, nullable=True),
    Column("worker_id", Uuid, nullable=True),
    Column("error", Text, nullable=False),
    Column("error_code", String(64), nullable=False),
    Column("logs_size", Integer, nullable=False),
    Column("logs_overflowed", Boolean, nullable=False),
    Column("resources", JSON(none_as_null=True), nullable=True),
)
_UNFINISHED: Final = provisioner_jobs.c.completed_at.is_(None)
Index(
    "ix_provisioner_jobs_unfinished",
    provisioner_jobs.c.organization_id,
    provisioner_jobs.c.created_at,
    sqlite_where=_UNFINISHED,
    postgresql_where=_UNFINISHED,
)
Index("ix_provisioner_jobs_worker_id_completed_at", provisioner_jobs.c.worker_id, provisioner_jobs.c.completed_at)

provisioner_job_logs: Final = Table(
    "provisioner_job_logs",
    metadata,
    Column("id", COUNTER, primary_key=True, autoincrement=True),
    Column("job_id", Uuid, ForeignKey("provisioner_jobs.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", Moment, nullable=False),
    Column("source", String(32), nullable=False),
    Column("level", String(8), nullable=False),
    Column("stage", Text, nullable=False),
    Column("output", Text, nullable=False),
)

# The job has read the file when it has completed: only then are readme, variables and parameters known.
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
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
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
    Column("state", LargeBinary, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    UniqueConstraint("workspace_id", "build_number"),
)
