"""The PostgreSQL server that CODER_PG_CONNECTION_URL names: how to connect to it, and why that fails.

Used by `postgresql` and `postgresql_notifications`. The password stays inside: it is in no repr, no error and no log.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy.exc import DBAPIError

from coder_enterprise.server.storage.database import StorageError

VARIABLE: Final = "CODER_PG_CONNECTION_URL"
EXAMPLE: Final = "postgres://user:password@host:5432/database?sslmode=verify-full"

CONNECT_TIMEOUT: Final = 5.0
"""Seconds, unless the URL says otherwise with connect_timeout."""
STATEMENT_TIMEOUT: Final = 10
ANSWER_TIMEOUT: Final = STATEMENT_TIMEOUT + 5
"""Seconds until a server that says nothing at all, not even that the statement took too long, is given up."""

SESSION: Final[Mapping[str, str]] = {
    "application_name": "coder-enterprise",
    "statement_timeout": f"{STATEMENT_TIMEOUT}s",
    # A replica that hangs inside a transaction must not keep its locks from the others.
    "idle_in_transaction_session_timeout": f"{STATEMENT_TIMEOUT}s",
}
"""Settings of every session that the URL may override."""

FAULTS: Final = (DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""Everything that a database, its driver, and the way to it raise; a timeout is an OSError."""

_ADVICE: Final[Mapping[str, str]] = {
    "28": "check user and password, and whether pg_hba.conf lets this host in",
    "3D000": "create that database, or name another one",
    "42501": "let that user create tables, or own the database",
    "53300": "raise max_connections, or close others",
    "55P03": "another server migrates it: start again when that one is ready",
    "57P03": "start again when PostgreSQL is ready",
}
"""By what SQLSTATE starts with."""


@dataclass(frozen=True)
class PostgreSQLServer:
    """Made by `parse`."""

    url: str = field(repr=False)
    """Without user and password, but a key of the client may have one, too."""
    user: str | None
    password: str | None = field(repr=False)
    connect_timeout: float
    session: Mapping[str, str]

    async def connect(self, **options: Any) -> Any:
        """A new connection of the driver; raises one of `FAULTS`."""
        arguments = {"command_timeout": ANSWER_TIMEOUT, "server_settings": dict(self.session), **options}
        try:
            return await asyncpg.connect(
                self.url, user=self.user, password=self.password, timeout=self.connect_timeout, **arguments
            )
        except KeyError:  # before Python 3.13; it looks for the name of the process's own user
            raise asyncpg.ClientConfigurationError(
                "the URL names no user, and the user that this process runs as has no name"
            ) from None


def parse(url: str) -> PostgreSQLServer:
    """Of a URL as libpq reads it: the parameters of a connection have their usual meaning, and what is none of them is
    a setting of the session. TLS is required unless sslmode says otherwise, as in Coder, whose driver is lib/pq.

    Raises `StorageError`, which shows nothing of the URL.
    """
    try:
        parts = urlsplit(url.strip())
        parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
        timeout = float(parameters.pop("connect_timeout", 0))
    except ValueError:
        raise _unreadable() from None
    login, at, hosts = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    # Anything else is a password with a character that ends it, and the driver would take its parts for a host.
    if parts.scheme not in ("postgres", "postgresql") or parts.fragment or not _are_hosts(hosts):
        raise _unreadable()
    if not at and "@" in parts.path + parts.query:
        raise _unreadable()
    parameters.setdefault("sslmode", os.environ.get("PGSSLMODE", "require"))
    name, secret = parameters.pop("user", None), parameters.pop("password", None)
    missing = {setting: value for setting, value in SESSION.items() if setting not in parameters}
    return PostgreSQLServer(
        url=f"postgresql://{hosts}{parts.path}?{urlencode(parameters)}",
        user=unquote(user) or name,
        password=unquote(password) or secret,
        connect_timeout=timeout or CONNECT_TIMEOUT,
        session=missing,
    )


def sqlstate(error: BaseException) -> str:
    """PostgreSQL's code for the error; "" when it did not come from the server."""
    found = getattr(error.orig if isinstance(error, DBAPIError) else error, "sqlstate", None)
    return found if isinstance(found, str) else ""


def is_lost(error: BaseException) -> bool:
    """Whether an error that did not come from the server is of the way to it, and none of this program's."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated
    # A ValueError is of a value that the driver cannot send, unless it is of a certificate, which is an OSError, too.
    return isinstance(error, OSError) or not isinstance(error, ValueError)


def cause(error: BaseException) -> str:
    """For people, in one line and without statement or parameters."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig.__cause__ or error.orig
    if isinstance(error, TimeoutError) and not error.errno:
        return "there was no answer in time"
    return " ".join(str(getattr(error, "strerror", None) or error).split()) or type(error).__name__


def unusable(error: BaseException) -> StorageError:
    """For a start that failed: the cause, and what to do."""
    return StorageError(f"{VARIABLE}: the database cannot be used: {cause(error)}; {_advice(error)}")


def _advice(error: BaseException) -> str:
    code = sqlstate(error)
    for start, advice in _ADVICE.items():
        if code.startswith(start):
            return advice
    if isinstance(error, OSError):
        return "check host, port and sslmode, and that PostgreSQL runs there"
    return f"set it to a URL such as {EXAMPLE}"


def _are_hosts(text: str) -> bool:
    """`host:port`, several with commas, or nothing."""
    ports = (host.rpartition("]")[2].partition(":")[2] for host in text.split(","))
    return "@" not in text and all(not port or port.isdigit() for port in ports)


def _unreadable() -> StorageError:
    return StorageError(
        f"{VARIABLE}: it is no URL such as {EXAMPLE}; characters of user and password that have a meaning in URLs "
        "must be percent-encoded (@ is %40, / is %2F, # is %23, ? is %3F)"
    )
