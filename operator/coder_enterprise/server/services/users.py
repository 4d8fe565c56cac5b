"""Users: who exists, who may make them, their status and their roles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid4

from coder_enterprise.server import access, names
from coder_enterprise.server.access import MEMBER, OWNER, ROLE_NAMES, Action, Actor, Kind, Subject
from coder_enterprise.server.errors import BadRequest, Conflict, Forbidden, NotFound, invalid, taken
from coder_enterprise.server.services import audit, passwords, references, search, sessions
from coder_enterprise.server.services import organizations as default_organization
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.sessions import Sessions
from coder_enterprise.server.settings import FirstUser
from coder_enterprise.server.storage import api_keys, organizations, users
from coder_enterprise.server.storage.database import Connection, Database, Duplicate
from coder_enterprise.server.storage.schema import NEVER
from coder_enterprise.server.storage.users import Filter
from coder_enterprise.server.storage.users import User as UserRow
from coder_enterprise.wire.users import (
    AssignableRole,
    CreateFirstUserRequest,
    CreateFirstUserResponse,
    CreateUserRequest,
    Role,
    SDKUser,
    SDKUsersResponse,
    UpdatePasswordRequest,
    UpdateProfileRequest,
    UserRoles,
)

STATUSES: Final = ("active", "dormant", "suspended")
LOGIN_TYPES: Final = ("password", "github", "oidc", "none")
MAX_NAME: Final = 128

_Change = Callable[[Connection, Actor, UserRow], UserRow]


@dataclass(frozen=True)
class Page:
    """Which part of a list; `limit` None is all."""

    limit: int | None = None
    offset: int = 0
    after_id: UUID | None = None
    """Only what comes after this user."""


class Users:
    def __init__(self, database: Database, sessions: Sessions) -> None:
        self._database = database
        self._sessions = sessions

    async def list(self, actor: Actor, query: str, page: Page) -> SDKUsersResponse:
        """By username. Raises `BadRequest` for a query that cannot be read."""
        which = parse_query(query)
        if not access.sees(actor, Subject(Kind.USER)):
            which = which._replace(only=actor.id)

        def work(connection: Connection) -> SDKUsersResponse:
            rows = users.page(connection, which, page.limit, page.offset, page.after_id)
            return SDKUsersResponse(users=all_to_wire(connection, rows), count=users.count(connection, which))

        return await self._database.read(work)

    async def get(self, actor: Actor, reference: str) -> SDKUser:
        """Raises `BadRequest` when there is no such user."""
        return await self._database.look_up(
            lambda connection: _one(connection, references.user(connection, actor, reference))
        )

    async def create(self, actor: Actor, request: CreateUserRequest) -> SDKUser:
        """Raises `Forbidden`, `BadRequest`, `NotFound` for an organization, `Conflict` for a name that is taken."""
        access.require(actor, Action.CREATE, Subject(Kind.USER))
        login_type = request.login_type or "password"
        check(request, login_type)
        password_hash = await _hash(request.password)
        row = new_user(request.username, request.email, request.name, password_hash, login_type, [])
        row = row._replace(status=request.user_status or row.status)
        wanted = [*request.organization_ids, *([request.organization_id] if request.organization_id else [])]
        return await self._database.write_as(
            actor,
            lambda connection, actor: _one(connection, add(connection, actor, row, wanted or [references.DEFAULT])),
        )

    async def delete(self, actor: Actor, reference: str) -> None:
        """Raises `Forbidden`, also for oneself, and `BadRequest` for an unknown user."""
        await self._change(actor, reference, Action.DELETE, _delete)

    async def suspend(self, actor: Actor, reference: str) -> SDKUser:
        """Raises `Forbidden`, and `BadRequest` for an unknown user, oneself, or an owner."""
        return await self._change(actor, reference, Action.SUSPEND, suspend)

    async def activate(self, actor: Actor, reference: str) -> SDKUser:
        """Raises `Forbidden`, and `BadRequest` for an unknown user."""
        return await self._change(
            actor,
            reference,
            Action.SUSPEND,
            lambda connection, actor, row: update(connection, actor, row, {"status": "active"}),
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
            return update(connection, actor, row, {"roles": sorted(set(roles))})

        return await self._change(actor, reference, Action.ASSIGN, change)

    def assignable_roles(self, actor: Actor) -> Sequence[AssignableRole]:
        """The site roles, and whether the actor may give them to people."""
        may = access.may(actor, Action.ASSIGN, Subject(Kind.USER))
        return [AssignableRole(name=name, display_name=title, assignable=may) for name, title in ROLE_NAMES.items()]

    async def has_first(self) -> bool:
        return await self._database.read(lambda connection: users.count(connection) > 0)

    async def create_first(self, request: CreateFirstUserRequest) -> CreateFirstUserResponse:
        """Raises `BadRequest`, and `Conflict` when there is a user already."""
        if await self.has_first():
            raise _first_exists()  # before the hash: this route is open to everybody, and a hash is expensive
        first = FirstUser(request.username, request.email, request.password)
        check(CreateUserRequest(**request.model_dump()), "password")
        password_hash = await _hash(first.password)

        def work(connection: Connection) -> CreateFirstUserResponse:
            if users.count(connection):
                raise _first_exists()
            user_id, organization_id = create_first(connection, first, password_hash)
            return CreateFirstUserResponse(user_id=user_id, organization_id=organization_id)

        return await self._database.write(work)

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
            row = _changeable(connection, actor, reference)
            values = request.model_dump(exclude_unset=True)
            problems = field_problems({name: value for name, value in values.items() if value != getattr(row, name)})
            if problems:
                raise invalid(**problems)
            try:
                return _one(connection, update(connection, actor, row, values))
            except Duplicate:
                raise taken(f"A user named {request.username!r} exists already.", field="username") from None

        user = await self._database.write_as(actor, work)
        await self._sessions.forget()
        return user

    async def set_password(self, actor: Actor, reference: str, request: UpdatePasswordRequest) -> None:
        """Ends all of the user's sessions. Who changes their own must know the old one.

        Raises `Forbidden`, and `BadRequest` for an unknown user or for what is wrong with either password.
        """
        row = await self._database.read(lambda connection: _changeable(connection, actor, reference))
        await _check_new_password(row, request, is_own=row.id == actor.id)
        password_hash = await _hash(request.password)

        def work(connection: Connection, actor: Actor) -> None:
            # Hashing takes long: who was allowed before it may not be any more.
            current = _changeable(connection, actor, reference)
            if current.password_hash != row.password_hash:
                raise Conflict("The password was changed by somebody else at the same time.")
            _set_password(connection, actor, current, password_hash)

        await self._database.write_as(actor, work)
        await self._sessions.forget()

    async def _change(self, actor: Actor, reference: str, action: Action, change: _Change) -> SDKUser:
        def work(connection: Connection, actor: Actor) -> SDKUser:
            access.require(actor, action, Subject(Kind.USER))  # before it tells whether there is such a user
            row = _changeable(connection, actor, reference, action)
            return _one(connection, change(connection, actor, row))

        user: SDKUser = await self._database.write_as(actor, work)
        await self._sessions.forget()
        return user


def _changeable(connection: Connection, actor: Actor, reference: str, action: Action = Action.UPDATE) -> UserRow:
    """Raises `BadRequest` for an unknown user, `NotFound` for a deleted one, and `Forbidden`."""
    row = references.user(connection, actor, reference)
    if row.deleted:
        raise NotFound
    access.require(actor, action, references.person(row))
    return row


def _first_exists() -> Conflict:
    return Conflict("The initial user has already been created.")


def create_first(connection: Connection, first: FirstUser, password_hash: str) -> tuple[UUID, UUID]:
    """An owner in the default organization: the ids of both."""
    row = new_user(first.username, first.email, "", password_hash, "password", [OWNER])
    users.create(connection, row)
    organization = default_organization.ensure_default(connection)
    organizations.add_member(connection, organization.id, row.id, row.created_at)
    _audit(connection, row.id, "create", row, None)
    return row.id, organization.id


def add(connection: Connection, actor: Actor, row: UserRow, wanted: Sequence[str]) -> UserRow:
    """Raises `Forbidden`, `NotFound` for an organization, and `Conflict` for a name in use."""
    access.require(actor, Action.CREATE, references.person(row))
    joined = {references.organization(connection, reference).id for reference in wanted}
    try:
        users.create(connection, row)
    except Duplicate:
        raise Conflict("A user with that username or email exists already.") from None
    for organization_id in joined:
        organizations.add_member(connection, organization_id, row.id, row.created_at)
    _audit(connection, actor.account, "create", row, None)
    return row


def suspend(connection: Connection, actor: Actor, row: UserRow) -> UserRow:
    """Raises `Forbidden`, and `BadRequest` for oneself, or an owner."""
    access.require(actor, Action.SUSPEND, references.person(row))
    if row.id == actor.id:
        raise BadRequest("You cannot suspend yourself.")
    if OWNER in row.roles:
        raise BadRequest("You cannot suspend a user with the role owner; take the role away first.")
    return update(connection, actor, row, {"status": "suspended"})


def bring_back(connection: Connection, actor: Actor, row: UserRow) -> UserRow:
    """Who was suspended is active at the next use. Raises `Forbidden`."""
    access.require(actor, Action.SUSPEND, references.person(row))
    return update(connection, actor, row, {"status": "dormant"})


def _delete(connection: Connection, actor: Actor, row: UserRow) -> UserRow:
    if row.id == actor.id:
        raise Forbidden("You cannot delete yourself.", "Another owner or user-admin can.")
    users.delete(connection, row.id, now())
    api_keys.remove_of_user(connection, row.id)
    _audit(connection, actor.id, "delete", None, row)
    return row


def update(connection: Connection, actor: Actor, row: UserRow, values: Mapping[str, Any]) -> UserRow:
    """Write and note what differs: whoever calls this has asked `access`. Raises `Duplicate` for a name in use."""
    changed = row._replace(**values)
    if changed != row:
        changed = changed._replace(updated_at=now())
        users.update_fields(connection, row.id, {**values, "updated_at": changed.updated_at})
        _audit(connection, actor.account, "write", changed, row)
    return changed


def _audit(
    connection: Connection, actor_id: UUID | None, action: str, after: UserRow | None, before: UserRow | None
) -> None:
    subject = after or before
    if subject is None:
        raise AssertionError("an audited change has a subject")
    resource = ("user", subject.id, subject.username)
    audit.record(connection, actor_id, action, resource, before=_shown(before), after=_shown(after))


def _shown(row: UserRow | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {
        name: getattr(row, name)
        for name in ("username", "email", "name", "login_type", "status", "roles", "avatar_url")
    }


def new_user(username: str, email: str, name: str, password_hash: str, login_type: str, roles: list[str]) -> UserRow:
    moment = now()
    return UserRow(
        id=uuid4(),
        username=username,
        email=email,
        name=name,
        password_hash=password_hash,
        login_type=login_type,
        status="dormant",
        roles=roles,
        avatar_url="",
        deleted=False,
        created_at=moment,
        updated_at=moment,
        last_seen_at=NEVER,
    )


async def _hash(password: str) -> str:
    return await passwords.hash_password(password) if password else ""


def check(request: CreateUserRequest, login_type: str) -> None:
    """Raises `BadRequest` that names the fields."""
    problems = field_problems({"email": request.email, "username": request.username, "name": request.name})
    if request.user_status not in ("", *STATUSES):
        problems["user_status"] = f"must be one of {', '.join(STATUSES)}"
    if login_type not in LOGIN_TYPES:
        problems["login_type"] = f"must be one of {', '.join(LOGIN_TYPES)}"
    elif login_type == "password":
        weakness = passwords.weakness(request.password) if request.password else "is required"
        problems |= {"password": weakness} if weakness else {}
    elif request.password:
        problems["password"] = f"must be empty when login_type is {login_type}"
    if problems:
        raise invalid(**problems)


_RULES: Final[Mapping[str, Callable[[str], str]]] = {
    "email": names.email_problem,
    "username": names.username_problem,
    "name": lambda text: names.text_problem(text, MAX_NAME),
}


def field_problems(values: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with which field, of those that are set anew: what a user has already is no obstacle."""
    found = {field: _RULES[field](value) for field, value in values.items()}
    return {field: problem for field, problem in found.items() if problem}


async def _check_new_password(row: UserRow, request: UpdatePasswordRequest, *, is_own: bool) -> None:
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


def _set_password(connection: Connection, actor: Actor, row: UserRow, password_hash: str) -> None:
    """The token that the settings bring was not made with the password, and stays."""
    users.update_fields(connection, row.id, {"password_hash": password_hash, "updated_at": now()})
    api_keys.remove_of_user(connection, row.id, keep=sessions.BOOTSTRAP)
    resource = ("user", row.id, row.username)
    audit.record(connection, actor.id, "write", resource, before={"password": "old"}, after={"password": "new"})


def parse_query(query: str) -> Filter:
    """`status:active,dormant role:owner ann`: one free term, and keys. Raises `BadRequest`."""
    values = search.parse(query, ("status", "role", "last_seen_before", "last_seen_after"))
    which = Filter(term=values.get(search.FREE, ""))
    if "status" in values:
        which = which._replace(statuses=search.one_of("status", values["status"], STATUSES))
    if "role" in values:
        roles = search.one_of("role", values["role"], (*ROLE_NAMES, MEMBER))
        which = which._replace(roles=() if MEMBER in roles else roles)
    before, after = (
        search.moment(key, values[key]) if key in values else None for key in ("last_seen_before", "last_seen_after")
    )
    return which._replace(last_seen_before=before, last_seen_after=after)


def parse_names_query(query: str) -> Filter:
    """For those who see names alone: what they are not shown, they cannot search either. Raises `BadRequest`."""
    return Filter(term=search.parse(query, ()).get(search.FREE, ""), in_emails=False)


def role(name: str) -> Role:
    return Role(name=name, display_name=ROLE_NAMES.get(name, name))


def to_wire(row: UserRow, organization_ids: Sequence[UUID]) -> SDKUser:
    """The row comes from the database, so it is not validated again."""
    return SDKUser.model_construct(
        id=row.id,
        username=row.username,
        email=row.email,
        created_at=row.created_at,
        last_seen_at=row.last_seen_at,
        status=row.status,  # type: ignore[arg-type]
        login_type=row.login_type,  # type: ignore[arg-type]
        organization_ids=list(organization_ids),
        roles=[role(name) for name in row.roles],
        avatar_url=row.avatar_url,
        name=row.name,
        updated_at=row.updated_at,
    )


def named(row: UserRow) -> SDKUser:
    """Names alone, for those who may not read people."""
    shown = to_wire(row, [])
    return shown.model_copy(update={"email": "", "roles": [], "last_seen_at": NEVER, "login_type": "none"})


def all_to_wire(connection: Connection, rows: Sequence[UserRow]) -> list[SDKUser]:
    joined = users.organizations_of(connection, [row.id for row in rows])
    return [to_wire(row, joined[row.id]) for row in rows]


def _one(connection: Connection, row: UserRow) -> SDKUser:
    return all_to_wire(connection, [row])[0]
