"""Opens the database that the settings name: migrated and ready for work. Called once, at start."""

from __future__ import annotations

import os
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError

from coder_enterprise.server.storage import migrate
from coder_enterprise.server.storage.backup import keep
from coder_enterprise.server.storage.database import Database
from coder_enterprise.server.storage.migrate import upgrade
from coder_enterprise.server.storage.sqlite import SQLiteDatabase, connect, lock, unusable

log = structlog.get_logger(__name__)


async def open_postgresql_database(url: str) -> Database:
    """The PostgreSQL database at that URL, which exists. Raises `StorageError`, without the password."""
    # SQLite does not need the driver.
    from coder_enterprise.server.storage.postgresql import open_postgresql
    from coder_enterprise.server.storage.postgresql_server import parse

    return await open_postgresql(parse(url))


def open_database(path: Path) -> Database:
    """The SQLite database in that file, made when it is missing. Raises `StorageError`."""
    held = lock(path)
    try:
        path.touch(mode=0o600)
        _keep_before_migration(path)
        with connect(path, "BEGIN IMMEDIATE") as connection, connection.begin():
            upgrade(connection)
        return SQLiteDatabase(path, held)
    except (OSError, SQLAlchemyError) as error:
        os.close(held)
        raise unusable(path, error) from None
    except BaseException:
        os.close(held)
        raise


def _keep_before_migration(path: Path) -> None:
    """There is no way back from a migration but a copy. Raises `StorageError`."""
    with connect(path, "BEGIN") as connection, connection.begin():
        known, is_due = migrate.revision(connection), migrate.is_due(connection)
    if is_due:
        copy = keep(path, f"before-migration-of-{known}")
        log.info("the database is copied before its schema changes", copy=str(copy))
