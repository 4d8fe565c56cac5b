"""What the tests of the server do with its database, past the API."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from coder_enterprise.server.storage import sqlite
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.server.storage.schema import audit_log

Row = dict[str, Any]


def wait_for_no_disk(patch: pytest.MonkeyPatch) -> None:
    """SQLite in this process: what a machine that fails would lose is not what most tests test."""
    patch.setattr(sqlite, "PRAGMAS", (*sqlite.PRAGMAS, "synchronous=OFF"))


async def audit_rows(database: Database) -> list[Row]:
    """All, the oldest first."""

    def work(connection: Connection) -> list[Row]:
        return [dict(row) for row in connection.execute(select(audit_log).order_by(audit_log.c.id)).mappings()]

    return await database.read(work)
