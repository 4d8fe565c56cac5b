"""Who belongs to an organization. Who may not read users sees nobody there but themselves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from coder_enterprise.server import access
from coder_enterprise.server.access import Action, Actor, Kind, Subject
from coder_enterprise.server.errors import BadRequest, NotFound, invalid
from coder_enterprise.server.services import audit, references
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.people import role
from coder_enterprise.server.storage import organizations
from coder_enterprise.server.storage.database import Connection, Database, Duplicate
from coder_enterprise.server.storage.organizations import Organization
from coder_enterprise.server.storage.users import User
from coder_enterprise.wire.members import Member, MemberWithUser

PEOPLE: Final = Subject(Kind.USER)


class Members:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, actor: Actor, organization: str) -> list[MemberWithUser]:
        """By username. Raises `NotFound` for the organization."""

        def work(connection: Connection) -> list[MemberWithUser]:
            home = references.organization(connection, organization)
            only = None if access.sees(actor, PEOPLE) else actor.id
            return [_to_wire(home.id, user, since) for user, since in organizations.members(connection, home.id, only)]

        return await self._database.read(work)

    async def add(self, actor: Actor, organization: str, reference: str) -> Member:
        """Raises `NotFound` for the organization, `BadRequest` for no user and for a member, and `Forbidden`."""

        def work(connection: Connection, actor: Actor) -> Member:
            home = references.organization(connection, organization)
            access.require(actor, Action.CREATE, Subject(Kind.MEMBERSHIP))
            user = references.user(connection, actor, reference)
            if user.deleted:
                raise NotFound
            access.require(actor, Action.CREATE, _of(user))
            moment = now()
            try:
                organizations.add_member(connection, home.id, user.id, moment)
            except Duplicate:
                raise BadRequest(f"User {user.username!r} is a member of organization {home.name!r} already.") from None
            _audit(connection, actor, "create", home, user)
            return Member(user_id=user.id, organization_id=home.id, created_at=moment, updated_at=moment, roles=[])

        return await self._database.write_as(actor, work)

    async def set_roles(self, actor: Actor, organization: str, reference: str, roles: Sequence[str]) -> Member:
        """To none: this server has no roles of organizations.

        Raises `NotFound` for the organization and for one who is no member, `BadRequest`, and `Forbidden`.
        """

        def work(connection: Connection, actor: Actor) -> Member:
            home = references.organization(connection, organization)
            access.require(actor, Action.ASSIGN, Subject(Kind.MEMBERSHIP))
            user = references.user(connection, actor, reference)
            since = organizations.member_since(connection, home.id, user.id)
            if since is None:
                raise NotFound
            access.require(actor, Action.ASSIGN, _of(user))
            if roles:
                raise invalid(roles="must be empty: this server has no roles of organizations")
            return Member(user_id=user.id, organization_id=home.id, created_at=since, updated_at=since, roles=[])

        return await self._database.write_as(actor, work)

    async def remove(self, actor: Actor, organization: str, reference: str) -> None:
        """Also from its groups. Raises like `add`, and `NotFound` for one who is no member."""

        def work(connection: Connection, actor: Actor) -> None:
            home = references.organization(connection, organization)
            access.require(actor, Action.DELETE, Subject(Kind.MEMBERSHIP))
            user = references.user(connection, actor, reference)
            access.require(actor, Action.DELETE, _of(user))
            if user.id == actor.id:
                raise BadRequest("You cannot remove yourself from an organization.")
            if not organizations.remove_member(connection, home.id, user.id):
                raise NotFound
            _audit(connection, actor, "delete", home, user)

        await self._database.write_as(actor, work)


def _of(user: User) -> Subject:
    return Subject(Kind.MEMBERSHIP, user.id, frozenset(user.roles))


def _audit(connection: Connection, actor: Actor, action: str, home: Organization, user: User) -> None:
    shown = {"organization": home.name, "username": user.username}
    before, after = (None, shown) if action == "create" else (shown, None)
    resource = ("organization_member", user.id, user.username)
    audit.record(connection, actor.id, action, resource, before=before, after=after, organization_id=home.id)


def _to_wire(organization_id: UUID, user: User, since: datetime) -> MemberWithUser:
    """The row comes from the database, so it is not validated again."""
    return MemberWithUser.model_construct(
        user_id=user.id,
        organization_id=organization_id,
        created_at=since,
        updated_at=since,
        roles=[],
        username=user.username,
        name=user.name,
        avatar_url=user.avatar_url,
        email=user.email,
        global_roles=[role(name) for name in user.roles],
    )
