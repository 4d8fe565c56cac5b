"""Tables of the deployment itself: its settings, licences, replicas and workspace proxies."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    Boolean,
    Column,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    Uuid,
)

from coder_enterprise.server.storage.schema.columns import DOCUMENT, Moment, by_code_point, metadata

site_settings: Final = Table(
    "site_settings",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", DOCUMENT, nullable=False),
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
