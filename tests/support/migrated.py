"""An empty database of the server with its tables, as a copy of one: migrations take as long as a test does."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path


def write_migrated(path: Path) -> None:
    """To a file that is not there yet, as the server makes it."""
    path.touch(mode=0o600)
    path.write_bytes(_migrated())


@functools.cache
def _migrated() -> bytes:
    # Here, for whoever runs one test of something else: with it the database's library is imported.
    from coder_enterprise.server.storage import sqlite
    from coder_enterprise.server.storage.migrate import upgrade

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "coder.db"
        with sqlite.connect(path, "BEGIN IMMEDIATE") as connection, connection.begin():
            upgrade(connection)
        return path.read_bytes()
