"""What users are: what may be in their fields, and each change of one, with its note in the audit.

Functions of a connection, called by every service that makes or changes users: the API's, SCIM's, the first start's and
the rescue's. Each asks `access`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID, uuid4

from coder_enterprise.server import access, names
from coder_enterprise.server.access import OWNER, Action, Actor
from coder_enterprise.server.errors import BadRequest, Conflict, Forbidden, NotFound, invalid
from coder_enterprise.server.services import audit, default_organization, passwords, references, session_tokens
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.settings import FirstUser
from coder_enterprise.server.storage import api_keys, organizations, users
from coder_enterprise.server.storage.database import Connection, Duplicate
from coder_enterprise.server.storage.schema import NEVER
from coder_enterprise.server.storage.users import User
from coder_enterprise.wire.users import STATUSES, CreateUserRequest

LOGIN_TYPES: Final = ("password", "github", "oidc", "none")
"""That people may have; "token" is one of keys alone."""
MAX_NAME: Final = 128


def changeable(connection: Connection, actor: Actor, reference: str, action: Action = Action.UPDATE) -> User:
    """Raises `BadRequest` for an unknown user, `NotFound` for a deleted one, and `Forbidden`."""
    row = references.user(connection, actor, reference)
    if row.deleted:
        raise NotFound
    access.require(actor, action, references.person(row))
    return row


def create_owner(connection: Connection, first: FirstUser, password_hash: str) -> tuple[UUID, UUID]:
    """An owner in the default organization: the ids of both."""
    row = new_user(first.username, first.email, "", password_hash, "password", [OWNER])
    users.create(connection, row)
    organization = default_organization.ensure_default(connection)
    organizations.add_member(connection, organization.id, row.id, row.created_at)
    _audit(connection, row.id, "create", row, None)
    return row.id, organization.id


def add(connection: Connection, actor: Actor, row: User, wanted: Sequence[str]) -> User:
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


def suspend(connection: Connection, actor: Actor, row: User) -> User:
    """Raises `Forbidden`, and `BadRequest` for oneself, or an owner."""
    access.require(actor, Action.SUSPEND, references.person(row))
    if row.id == actor.id:
        raise BadRequest("You cannot suspend yourself.")
    if OWNER in row.roles:
        raise BadRequest("You cannot suspend a user with the role owner; take the role away first.")
    return update(connection, actor, row, {"status": "suspended"})


def bring_back(connection: Connection, actor: Actor, row: User) -> User:
    """Who was suspended is active at the next use. Raises `Forbidden`."""
    access.require(actor, Action.SUSPEND, references.person(row))
    return update(connection, actor, row, {"status": "dormant"})


def delete(connection: Connection, actor: Actor, row: User) -> User:
    """Whoever calls this has asked `access`. Raises `Forbidden` for oneself."""
    if row.id == actor.id:
        raise Forbidden("You cannot delete yourself.", "Another owner or user-admin can.")
    users.delete(connection, row.id, now())
    api_keys.remove_of_user(connection, row.id)
    _audit(connection, actor.id, "delete", None, row)
    return row


def update(connection: Connection, actor: Actor, row: User, values: Mapping[str, Any]) -> User:
    """Write and note what differs: whoever calls this has asked `access`. Raises `Duplicate` for a name in use."""
    changed = row._replace(**values)
    if changed != row:
        changed = changed._replace(updated_at=now())
        users.update_fields(connection, row.id, {**values, "updated_at": changed.updated_at})
        _audit(connection, actor.account, "write", changed, row)
    return changed


def set_password(connection: Connection, actor: Actor, row: User, password_hash: str) -> None:
    """All sessions end. The token that the settings bring was not made with the password, and stays."""
    users.update_fields(connection, row.id, {"password_hash": password_hash, "updated_at": now()})
    api_keys.remove_of_user(connection, row.id, keep=session_tokens.BOOTSTRAP)
    resource = ("user", row.id, row.username)
    audit.record(connection, actor.account, "write", resource, before={"password": "old"}, after={"password": "new"})


def _audit(connection: Connection, actor_id: UUID | None, action: str, after: User | None, before: User | None) -> None:
    subject = after or before
    if subject is None:
        raise AssertionError("an audited change has a subject")
    resource = ("user", subject.id, subject.username)
    audit.record(connection, actor_id, action, resource, before=_shown(before), after=_shown(after))


def _shown(row: User | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {
        name: getattr(row, name)
        for name in ("username", "email", "name", "login_type", "status", "roles", "avatar_url")
    }


def new_user(username: str, email: str, name: str, password_hash: str, login_type: str, roles: list[str]) -> User:
    moment = now()
    return User(
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
