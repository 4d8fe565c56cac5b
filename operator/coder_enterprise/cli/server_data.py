"""`coder-enterprise server backup` and its like: what an operator does with a server's data from its own machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from coder_enterprise.server.storage.database import Database

SQLitePath = Annotated[Path, typer.Option(envvar="CODER_SQLITE_PATH", help="The SQLite database.")]
DEFAULT_PATH = Path("coder-enterprise.db")


def backup(
    file: Annotated[Path, typer.Argument(help="Where to; it must not exist.")], sqlite_path: SQLitePath = DEFAULT_PATH
) -> None:
    """Copy the SQLite database to FILE, also while a server uses it.

    PostgreSQL has pg_dump.
    """

    def work() -> str:
        from coder_enterprise.server.storage.backup import backup

        _require_sqlite("pg_dump")
        backup(sqlite_path, file)
        return f"{sqlite_path} is copied to {file}"

    _report(work)


def restore(
    file: Annotated[Path, typer.Argument(help="What backup has made.")], sqlite_path: SQLitePath = DEFAULT_PATH
) -> None:
    """Put FILE in the place of the SQLite database, which is kept beside it; stop the server first.

    PostgreSQL has pg_restore.
    """

    def work() -> str:
        from coder_enterprise.server.storage.backup import restore

        _require_sqlite("pg_restore")
        kept = restore(file, sqlite_path)
        return f"{file} is in the place of {sqlite_path}" + (f", which is kept as {kept}" if kept else "")

    _report(work)


def reset_password(
    user: Annotated[str, typer.Argument(help="Username or e-mail address.")], sqlite_path: SQLitePath = DEFAULT_PATH
) -> None:
    """Set a user's password, which is asked for or read from standard input; stop a server on SQLite first.

    The user's sessions and tokens end.
    """

    async def work(database: Database, password: str) -> str:
        from coder_enterprise.server.services.rescue import reset_password

        return f"{await reset_password(database, user, password)} has a new password"

    _with_database(sqlite_path, work)


def create_owner(
    username: Annotated[str, typer.Argument(help="Of the new owner.")],
    email: Annotated[str, typer.Argument(help="Their e-mail address.")],
    sqlite_path: SQLitePath = DEFAULT_PATH,
) -> None:
    """Make a user who may do everything; stop a server on SQLite first.

    The password is asked for, or read from standard input.
    """

    async def work(database: Database, password: str) -> str:
        from coder_enterprise.server.services.rescue import create_owner

        await create_owner(database, username, email, password)
        return f"{username} is an owner"

    _with_database(sqlite_path, work)


def _with_database(path: Path, work: Callable[[Database, str], Coroutine[Any, Any, str]]) -> None:
    async def run(url: str, password: str) -> str:
        from coder_enterprise.server.storage.open import open_database, open_postgresql_database

        database = await open_postgresql_database(url) if url else open_database(path)
        try:
            return await work(database, password)
        finally:
            await database.close()

    import asyncio

    url = _postgresql_url()
    if not url and not path.is_file():
        _fail(f"CODER_SQLITE_PATH: {path} is not there")
    password = _password()
    _report(lambda: asyncio.run(run(url, password)))


def _report(work: Callable[[], str]) -> None:
    """What has been done, or one line with the cause."""
    try:
        from coder_enterprise.server.errors import RequestError
        from coder_enterprise.server.storage.database import StorageError
    except ImportError as error:
        _fail(f"{error.name} is missing; run: pip install 'coder-enterprise[server]'")
    try:
        done = work()
    except StorageError as error:
        _fail(str(error))
    except RequestError as error:
        _fail("; ".join((error.message, *(f"{field} {text}" for field, text in error.validations.items()))))
    else:
        typer.echo(done)


def _fail(message: str) -> NoReturn:
    typer.echo(f"coder-enterprise server: {message}", err=True)
    raise typer.Exit(1)


def _require_sqlite(program: str) -> None:
    if _postgresql_url():
        _fail(f"CODER_PG_CONNECTION_URL is set: use {program} for PostgreSQL")


def _postgresql_url() -> str:
    return os.environ.get("CODER_PG_CONNECTION_URL", "").strip()


def _password() -> str:
    if sys.stdin.isatty():
        password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
        return password
    return sys.stdin.readline().rstrip("\r\n")
