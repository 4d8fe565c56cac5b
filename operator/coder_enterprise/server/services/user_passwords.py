"""New passwords: whose they are, and what they must be."""

from __future__ import annotations

from coder_enterprise.server.access import Actor
from coder_enterprise.server.errors import BadRequest, Conflict, invalid
from coder_enterprise.server.services import accounts, passwords
from coder_enterprise.server.services.sessions import Sessions
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.server.storage.users import User
from coder_enterprise.wire.users import UpdatePasswordRequest


class UserPasswords:
    def __init__(self, database: Database, sessions: Sessions) -> None:
        self._database = database
        self._sessions = sessions

    async def set(self, actor: Actor, reference: str, request: UpdatePasswordRequest) -> None:
        """Ends all of the user's sessions. Who changes their own must know the old one.

        Raises `Forbidden`, and `BadRequest` for an unknown user or for what is wrong with either password.
        """
        row = await self._database.read(lambda connection: accounts.changeable(connection, actor, reference))
        await _check(row, request, is_own=row.id == actor.id)
        password_hash = await passwords.hash_password(request.password)

        def work(connection: Connection, actor: Actor) -> None:
            # Hashing takes long: who was allowed before it may not be any more.
            current = accounts.changeable(connection, actor, reference)
            if current.password_hash != row.password_hash:
                raise Conflict("The password was changed by somebody else at the same time.")
            accounts.set_password(connection, actor, current, password_hash)

        await self._database.write_as(actor, work)
        await self._sessions.forget()


async def _check(row: User, request: UpdatePasswordRequest, *, is_own: bool) -> None:
    """Raises `BadRequest`."""
    if row.login_type != "password":
        raise BadRequest("Users without password login type cannot change their password.")
    weakness = passwords.weakness(request.password) if request.password else "is required"
    if weakness:
        raise invalid(password=weakness)
    if is_own and not await passwords.verify(request.old_password, row.password_hash):
        raise BadRequest("Old password is incorrect.", validations={"old_password": "is incorrect"})
    if await passwords.verify(request.password, row.password_hash):
        raise BadRequest("New password cannot match old password.")
