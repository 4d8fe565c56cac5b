"""What all tables have in common: the metadata, and types that mean the same on both databases."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Integer,
    MetaData,
    String,
    Text,
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
