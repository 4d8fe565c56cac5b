"""What is done for a server from its own machine when nobody can log in: a new password, a new owner.

Called by the command line, on a database that nobody else writes to, or on PostgreSQL.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from coder_enterprise.server.access import OWNER, Actor
from coder_enterprise.server.errors import BadRequest
from coder_enterprise.server.services import (
    accounts,
    default_organization,
    passwords,
    references,
)
from coder_enterprise.server.storage import users
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.wire.users import CreateUserRequest

OPERATOR: Final = Actor(UUID(int=0), "", frozenset({OWNER}))
"""Who has the machine has everything; in the audit it is the server itself."""


async def reset_password(database: Database, reference: str, password: str) -> str:
    """Of the user with that username or e-mail address, whose sessions end; the username.

    Raises `BadRequest`.
    """
    if weakness := passwords.weakness(password) if password else "is required":
        raise BadRequest(f"The password {weakness}.")
    password_hash = await passwords.hash_password(password)

    def work(connection: Connection) -> str:
        row = users.by_username(connection, reference) or users.by_email(connection, reference)
        if row is None:
            raise BadRequest(f"There is no user {reference!r}.")
        if row.login_type != "password":
            raise BadRequest(f"{row.username} has no password: the user logs in with {row.login_type}.")
        accounts.set_password(connection, OPERATOR, row, password_hash)
        return row.username

    return await database.write(work)


async def create_owner(database: Database, username: str, email: str, password: str) -> None:
    """Raises `BadRequest` that names the fields, and `Conflict` for a name in use."""
    accounts.check(CreateUserRequest(username=username, email=email, password=password), "password")
    password_hash = await passwords.hash_password(password)
    row = accounts.new_user(username, email, "", password_hash, "password", [OWNER])

    def work(connection: Connection) -> None:
        default_organization.ensure_default(connection)
        accounts.add(connection, OPERATOR, row, [references.DEFAULT])

    await database.write(work)
