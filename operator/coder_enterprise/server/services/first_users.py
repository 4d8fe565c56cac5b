"""The first user, whom anybody can make while there is none."""

from __future__ import annotations

from coder_enterprise.server.errors import Conflict
from coder_enterprise.server.services import accounts, passwords
from coder_enterprise.server.settings import FirstUser
from coder_enterprise.server.storage import users
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.wire.users import CreateFirstUserRequest, CreateFirstUserResponse, CreateUserRequest


class FirstUsers:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def exists(self) -> bool:
        return await self._database.read(lambda connection: users.count(connection) > 0)

    async def create(self, request: CreateFirstUserRequest) -> CreateFirstUserResponse:
        """Raises `BadRequest`, and `Conflict` when there is a user already."""
        if await self.exists():
            raise _exists()  # before the hash: this route is open to everybody, and a hash is expensive
        first = FirstUser(request.username, request.email, request.password)
        accounts.check(CreateUserRequest(**request.model_dump()), "password")
        password_hash = await passwords.hash_password(first.password)

        def work(connection: Connection) -> CreateFirstUserResponse:
            if users.count(connection):
                raise _exists()
            user_id, organization_id = accounts.create_owner(connection, first, password_hash)
            return CreateFirstUserResponse(user_id=user_id, organization_id=organization_id)

        return await self._database.write(work)


def _exists() -> Conflict:
    return Conflict("The initial user has already been created.")
