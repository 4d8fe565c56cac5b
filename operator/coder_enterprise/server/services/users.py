"""Users: who exists, who may make them, their status and their roles."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from coder_enterprise.server import access
from coder_enterprise.server.access import ROLE_NAMES, Action, Actor, Kind, Subject
from coder_enterprise.server.errors import BadRequest, invalid, taken
from coder_enterprise.server.services import accounts, passwords, people, people_search, references
from coder_enterprise.server.services.paging import Page
from coder_enterprise.server.services.sessions import Sessions
from coder_enterprise.server.storage import users
from coder_enterprise.server.storage.database import Connection, Database, Duplicate
from coder_enterprise.server.storage.users import User as UserRow
from coder_enterprise.wire.users import (
    AssignableRole,
    CreateUserRequest,
    SDKUser,
    SDKUsersResponse,
    UpdateProfileRequest,
    UserRoles,
)

_Change = Callable[[Connection, Actor, UserRow], UserRow]


class Users:
    def __init__(self, database: Database, sessions: Sessions) -> None:
        self._database = database
        self._sessions = sessions

    async def list(self, actor: Actor, query: str, page: Page) -> SDKUsersResponse:
        """By username. Raises `BadRequest` for a query that cannot be read."""
        which = people_search.parse_query(query)._replace(after_id=page.after_id)
        if not access.sees(actor, Subject(Kind.USER)):
            which = which._replace(only=actor.id)

        def work(connection: Connection) -> SDKUsersResponse:
            rows = users.page(connection, which, page.limit, page.offset)
            return SDKUsersResponse(users=people.all_to_wire(connection, rows), count=users.count(connection, which))

        return await self._database.read(work)

    async def get(self, actor: Actor, reference: str) -> SDKUser:
        """Raises `BadRequest` when there is no such user."""
        return await self._database.look_up(
            lambda connection: people.one(connection, references.user(connection, actor, reference))
        )

    async def create(self, actor: Actor, request: CreateUserRequest) -> SDKUser:
        """Raises `Forbidden`, `BadRequest`, `NotFound` for an organization, `Conflict` for a name that is taken."""
        access.require(actor, Action.CREATE, Subject(Kind.USER))
        login_type = request.login_type or "password"
        accounts.check(request, login_type)
        password_hash = await passwords.hash_password(request.password) if request.password else ""
        row = accounts.new_user(request.username, request.email, request.name, password_hash, login_type, [])
        row = row._replace(status=request.user_status or row.status)
        wanted = [*request.organization_ids, *([request.organization_id] if request.organization_id else [])]
        return await self._database.write_as(
            actor,
            lambda connection, actor: people.one(
                connection, accounts.add(connection, actor, row, wanted or [references.DEFAULT])
            ),
        )

    async def delete(self, actor: Actor, reference: str) -> None:
        """Raises `Forbidden`, also for oneself, and `BadRequest` for an unknown user."""
        await self._change(actor, reference, Action.DELETE, accounts.delete)

    async def suspend(self, actor: Actor, reference: str) -> SDKUser:
        """Raises `Forbidden`, and `BadRequest` for an unknown user, oneself, or an owner."""
        return await self._change(actor, reference, Action.SUSPEND, accounts.suspend)

    async def activate(self, actor: Actor, reference: str) -> SDKUser:
        """Raises `Forbidden`, and `BadRequest` for an unknown user."""
        return await self._change(
            actor,
            reference,
            Action.SUSPEND,
            lambda connection, actor, row: accounts.update(connection, actor, row, {"status": "active"}),
        )

    async def set_roles(self, actor: Actor, reference: str, roles: Sequence[str]) -> SDKUser:
        """Raises `Forbidden`, and `BadRequest` for an unknown user, an unknown role, or one's own roles."""
        access.require(actor, Action.ASSIGN, Subject(Kind.USER))
        unknown = sorted(set(roles) - set(ROLE_NAMES))
        if unknown:
            raise invalid(roles=f"{', '.join(unknown)}: no such role; there are {', '.join(ROLE_NAMES)}")

        def change(connection: Connection, actor: Actor, row: UserRow) -> UserRow:
            if row.id == actor.id:
                raise BadRequest("You cannot change your own roles.")
            return accounts.update(connection, actor, row, {"roles": sorted(set(roles))})

        return await self._change(actor, reference, Action.ASSIGN, change)

    def assignable_roles(self, actor: Actor) -> Sequence[AssignableRole]:
        """The site roles, and whether the actor may give them to people."""
        may = access.may(actor, Action.ASSIGN, Subject(Kind.USER))
        return [AssignableRole(name=name, display_name=title, assignable=may) for name, title in ROLE_NAMES.items()]

    async def roles(self, actor: Actor, reference: str) -> UserRoles:
        """Raises `BadRequest` when there is no such user."""

        def work(connection: Connection) -> UserRoles:
            row = references.user(connection, actor, reference)
            joined = users.organizations_of(connection, [row.id])[row.id]
            return UserRoles(roles=row.roles, organization_roles={home: [] for home in joined})

        return await self._database.read(work)

    async def set_profile(self, actor: Actor, reference: str, request: UpdateProfileRequest) -> SDKUser:
        """One's own, too; a name that is absent is kept.

        Raises `Forbidden`, `BadRequest`, and `Conflict` for a username that is taken.
        """

        def work(connection: Connection, actor: Actor) -> SDKUser:
            row = accounts.changeable(connection, actor, reference)
            values = request.model_dump(exclude_unset=True)
            new = {name: value for name, value in values.items() if value != getattr(row, name)}
            problems = accounts.field_problems(new)
            if problems:
                raise invalid(**problems)
            try:
                return people.one(connection, accounts.update(connection, actor, row, values))
            except Duplicate:
                raise taken(f"A user named {request.username!r} exists already.", field="username") from None

        user = await self._database.write_as(actor, work)
        await self._sessions.forget()
        return user

    async def _change(self, actor: Actor, reference: str, action: Action, change: _Change) -> SDKUser:
        def work(connection: Connection, actor: Actor) -> SDKUser:
            access.require(actor, action, Subject(Kind.USER))  # before it tells whether there is such a user
            row = accounts.changeable(connection, actor, reference, action)
            return people.one(connection, change(connection, actor, row))

        user: SDKUser = await self._database.write_as(actor, work)
        await self._sessions.forget()
        return user
