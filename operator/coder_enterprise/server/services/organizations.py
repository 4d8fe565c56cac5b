"""Organizations: looked up by id, by name, or as the default one."""

from __future__ import annotations

from coder_enterprise.server.access import Actor
from coder_enterprise.server.errors import NotFound
from coder_enterprise.server.services import references
from coder_enterprise.server.storage import organizations
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.wire.organizations import Organization


class Organizations:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, reference: str) -> Organization:
        """Raises `NotFound`."""
        return _to_wire(await self._database.read(lambda connection: references.organization(connection, reference)))

    async def of_user(self, actor: Actor, reference: str) -> list[Organization]:
        """Raises `BadRequest` when there is no such user."""

        def work(connection: Connection) -> list[organizations.Organization]:
            user = references.user(connection, actor, reference)
            return organizations.of_user(connection, user.id)

        return [_to_wire(row) for row in await self._database.read(work)]

    async def one_of_user(self, actor: Actor, user: str, organization: str) -> Organization:
        """Raises `BadRequest` when there is no such user, and `NotFound` for an organization that is not theirs."""

        def work(connection: Connection) -> organizations.Organization:
            member = references.user(connection, actor, user)
            home = references.organization(connection, organization)
            if not organizations.members_among(connection, home.id, [member.id]):
                raise NotFound
            return home

        return _to_wire(await self._database.read(work))

    async def list(self) -> list[Organization]:
        return [_to_wire(row) for row in await self._database.read(organizations.all_of)]


def _to_wire(row: organizations.Organization) -> Organization:
    return Organization(**row._asdict())
