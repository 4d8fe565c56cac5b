"""Copies of an SQLite database: made while a server uses it, and put in its place while none does.

Called by the commands `server backup` and `server restore`, and before a migration. PostgreSQL has `pg_dump`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from coder_enterprise.server.storage import migrate, sqlite
from coder_enterprise.server.storage.database import StorageError

_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class Damaged(StorageError):
    """What should be a database cannot be read as one."""


def backup(path: Path, target: Path) -> None:
    """One state of the server's database, in a new file that only its owner reads. Raises `StorageError`."""
    _copy(path, target)
    with sqlite.connect(target, "BEGIN") as connection, connection.begin():
        is_ours = migrate.revision(connection) is not None
    if not is_ours:
        target.unlink()
        raise StorageError(f"CODER_SQLITE_PATH: {path} is no database of this server")


def restore(source: Path, path: Path) -> Path | None:
    """Put what `backup` made in the place of the database, at this version's schema.

    Where the database that was there is kept; None where none was. Raises `StorageError`, and changes nothing then.
    """
    if not source.is_file():
        raise StorageError(f"{source} is not there")
    held = sqlite.lock(path)
    anew = path.with_name(f"{path.name}.restoring")
    try:
        anew.unlink(missing_ok=True)
        _copy(source, anew)
        _bring_up_to_date(anew, source)
        kept = keep(path, "before-restore") if path.exists() else None
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        anew.replace(path)
        return kept
    finally:
        anew.unlink(missing_ok=True)
        os.close(held)


def keep(path: Path, why: str) -> Path:
    """A copy beside the database, named after its reason and the time; of a damaged one, its bytes.

    Raises `StorageError`.
    """
    target = path.with_name(f"{path.name}.{why}-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}Z")
    try:
        _copy(path, target)
    except Damaged:
        try:
            shutil.copy2(path, target)
        except OSError as error:
            raise StorageError(f"{target} cannot be written: {error.strerror}") from None
    return target


def _copy(path: Path, target: Path) -> None:
    """Any SQLite database. Raises `StorageError`, and leaves no part of a copy."""
    if not path.is_file():
        raise StorageError(f"CODER_SQLITE_PATH: {path} is not there")
    try:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        raise StorageError(f"{target} exists already; name a file that does not") from None
    except OSError as error:
        raise StorageError(f"{target} cannot be written: {error.strerror}") from None
    try:
        with (
            contextlib.closing(sqlite3.connect(path)) as origin,
            contextlib.closing(sqlite3.connect(target)) as destination,
        ):
            origin.backup(destination)
    except BaseException as error:
        target.unlink()
        if not isinstance(error, sqlite3.Error):
            raise
        kind = Damaged if error.sqlite_errorcode & 0xFF in _DAMAGED else StorageError
        raise kind(f"{path} cannot be copied to {target}: {error}") from None


def _bring_up_to_date(path: Path, source: Path) -> None:
    try:
        with contextlib.closing(sqlite3.connect(path)) as raw:
            sound = raw.execute("PRAGMA quick_check").fetchone() == ("ok",)
        with sqlite.connect(path, "BEGIN IMMEDIATE") as connection, connection.begin():
            if not sound or migrate.revision(connection) is None:
                raise StorageError(f"{source} is no backup of this server's database, or it is damaged")
            migrate.upgrade(connection)
        with contextlib.closing(sqlite3.connect(path)) as raw:
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # all of it into the file that is moved
            raw.execute("PRAGMA journal_mode=DELETE")
    except (sqlite3.Error, SQLAlchemyError):
        raise StorageError(f"{source} is no backup of this server's database, or it is damaged") from None
