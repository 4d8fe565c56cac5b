"""Tables of people: who they are, where they belong, what they hold, and what they did."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)

from coder_enterprise.server.storage.schema.columns import COUNTER, DOCUMENT, Moment, by_code_point, metadata

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
    Column("scopes", JSON, nullable=False, server_default='["coder:all"]'),
    Index(None, "user_id", "name", unique=True),
)

git_ssh_keys: Final = Table(
    "git_ssh_keys",
    metadata,
    Column("user_id", Uuid, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("public_key", Text, nullable=False),
    Column("private_key", JSON, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
)

audit_log: Final = Table(
    "audit_log",
    metadata,
    Column("id", COUNTER, primary_key=True, autoincrement=True),
    Column("time", Moment, nullable=False, index=True),
    Column("user_id", Uuid, nullable=True),
    Column("action", String(16), nullable=False),
    Column("resource_type", String(32), nullable=False),
    Column("resource_id", String(64), nullable=False, index=True),
    Column("resource_name", String(255), nullable=False),
    Column("before", DOCUMENT, nullable=True),
    Column("after", DOCUMENT, nullable=True),
    Column("ip", String(64), nullable=False, server_default=""),
    Column("request_id", String(128), nullable=False, server_default=""),
    Column("user_agent", String(256), nullable=False, server_default=""),
    Column("organization_id", Uuid, nullable=True),
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

quiet_hours: Final = Table(
    "quiet_hours",
    metadata,
    Column("user_id", Uuid, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("schedule", String(128), nullable=False),
)
