"""What the tests of the server read from its database, past the API."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.server.storage.schema import audit_log

Row = dict[str, Any]


async def audit_rows(database: Database) -> list[Row]:
    """All, the oldest first."""

    def work(connection: Connection) -> list[Row]:
        return [dict(row) for row in connection.execute(select(audit_log).order_by(audit_log.c.id)).mappings()]

    return await database.read(work)
