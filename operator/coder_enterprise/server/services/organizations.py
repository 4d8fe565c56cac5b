"""Organizations: looked up by id, by name, or as the default one."""

from __future__ import annotations

from uuid import uuid4

from coder_enterprise.server.access import Actor
from coder_enterprise.server.services import references
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.storage import groups, organizations
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.server.storage.groups import Group
from coder_enterprise.wire.organizations import Organization

FIRST_NAME = "coder"
FIRST_DISPLAY_NAME = "Coder"
EVERYONE = "Everyone"


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

    async def list(self) -> list[Organization]:
        return [_to_wire(row) for row in await self._database.read(organizations.all_of)]


def ensure_default(connection: Connection) -> organizations.Organization:
    """The first organization and its Everyone, made at the first start."""
    known = organizations.default(connection)
    if known is not None:
        return known
    moment = now()
    organization = organizations.Organization(uuid4(), FIRST_NAME, FIRST_DISPLAY_NAME, True, moment, moment)
    organizations.create(connection, organization)
    groups.create(
        connection,
        Group(
            id=organization.id,
            organization_id=organization.id,
            name=EVERYONE,
            display_name="",
            avatar_url="",
            quota_allowance=0,
            source="user",
            organization_name=organization.name,
            organization_display_name=organization.display_name,
        ),
    )
    return organization


def _to_wire(row: organizations.Organization) -> Organization:
    return Organization(**row._asdict())
