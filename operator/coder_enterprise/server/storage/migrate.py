"""Brings a database to the schema of this version, and refuses one from a later version.

Called when the server opens its database; the scripts are in `migrations`.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from coder_enterprise.server.storage.database import StorageError
from coder_enterprise.server.storage.schema import metadata

SCRIPTS: Final = Path(__file__).parent / "migrations"


def upgrade(connection: Connection) -> None:
    """Apply what is missing, in one transaction. Raises `StorageError` for a schema that is not known here."""
    current = revision(connection)
    if current is not None and current not in _known():
        raise StorageError(
            f"the database has the schema {current}, which this version does not know: use the version that wrote it, "
            "or a later one"
        )
    if current is None:
        _refuse_foreign(connection)
    if current != _newest():
        command.upgrade(configuration(connection), "head")


def revision(connection: Connection) -> str | None:
    """Of the schema that is there; None where none is."""
    return MigrationContext.configure(connection).get_current_revision()


def is_due(connection: Connection) -> bool:
    """Whether `upgrade` would change a schema that is there: not one that it refuses."""
    return revision(connection) in _known() - {_newest()}


@functools.cache
def _scripts() -> ScriptDirectory:
    """Read once: each of its files is compiled and run to learn of which revision it is."""
    return ScriptDirectory(str(SCRIPTS))


def _known() -> set[str]:
    return {script.revision for script in _scripts().walk_revisions()}


def _newest() -> str | None:
    return _scripts().get_current_head()


def _refuse_foreign(connection: Connection) -> None:
    foreign = sorted(set(inspect(connection).get_table_names()) & set(metadata.tables))
    if foreign:
        raise StorageError(
            f"the database is another program's, perhaps Coder's own: table {foreign[-1]} already exists; "
            "name an empty database"
        )


def configuration(connection: Connection) -> Config:
    """For alembic's commands on that connection."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["connection"] = connection
    return config
