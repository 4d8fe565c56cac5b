"""What SCIM makes of people: how they are found, made, changed, suspended and brought back. Called by `scim`.

The rules for users are those of `accounts`; here is what an identity provider adds to them: its own names, which need
not be usernames, and the decisions of RFC 7644. A user who is deleted through SCIM is suspended and hidden from SCIM,
as nothing that belongs to them may be lost. When the identity provider makes the same person again, they come back.
"""

from __future__ import annotations

from scim2_models import NotFoundException, UniquenessException

from coder_enterprise.server import access, names
from coder_enterprise.server.access import Action, Actor
from coder_enterprise.server.errors import invalid
from coder_enterprise.server.services import accounts, references
from coder_enterprise.server.services.scim_identities import details_of, identify, identity_of, own_name
from coder_enterprise.server.services.scim_names import address_of, checked, free_username, shown_name
from coder_enterprise.server.services.scim_resources import User
from coder_enterprise.server.storage import scim
from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.scim import Identity, Person
from coder_enterprise.wire.users import CreateUserRequest


def one(connection: Connection, user_id: str) -> Person:
    """Raises `NotFoundException`."""
    value = names.as_uuid(user_id)
    person = scim.get(connection, value) if value else None
    if person is None or person.hidden:
        raise NotFoundException(detail=f"There is no user {user_id!r}.")
    return person


def _same(connection: Connection, user: User) -> list[Person]:
    """Those who have the address or the name of a user who is to be made, also when hidden."""
    user_name = checked("userName", user.user_name) or ""
    found = scim.by_email(connection, address_of(user)) + scim.by_user_name(connection, user_name)
    return list({person.user.id: person for person in found}.values())


def create(connection: Connection, actor: Actor, user: User) -> Person:
    """Who is suspended comes back, as in Coder; RFC 7644 knows no other way for who was deleted."""
    same = _same(connection, user)
    if not same:
        return _add(connection, actor, user)
    is_away = same[0].hidden or (user.active and same[0].user.status == "suspended")
    if len(same) > 1 or not is_away:
        raise UniquenessException(detail="A user with that userName or e-mail address exists already.")
    return _come_back(connection, actor, same[0], user)


def ensure(connection: Connection, actor: Actor, user: User) -> Person:
    same = sorted(_same(connection, user), key=lambda person: person.hidden)
    if not same:
        return _add(connection, actor, user)
    if same[0].hidden:
        return _come_back(connection, actor, same[0], user)
    if user.active and same[0].user.status == "suspended":
        return same[0]._replace(user=accounts.bring_back(connection, actor, same[0].user))
    return same[0]


def _come_back(connection: Connection, actor: Actor, person: Person, user: User) -> Person:
    return apply(connection, actor, person, user, shown_name(user))


def _add(connection: Connection, actor: Actor, user: User) -> Person:
    user_name = checked("userName", user.user_name) or ""
    username = free_username(connection, user_name)
    request = CreateUserRequest(email=address_of(user), username=username, name=shown_name(user))
    accounts.check(request, "oidc")
    row = accounts.new_user(username, request.email, request.name, "", "oidc", [])
    if not user.active:
        row = row._replace(status="suspended")
    accounts.add(connection, actor, row, [references.DEFAULT])
    identity = Identity(row.id, user_name, checked("externalId", user.external_id), False, details_of(user))
    scim.save(connection, identity)
    return Person(row, identity)


def apply(connection: Connection, actor: Actor, person: Person, user: User, name: str) -> Person:
    """Make the user as SCIM says: nothing is written before all is checked.

    Raises `Forbidden`, `BadRequest`, `InvalidValueException`, `UniquenessException`, and `Duplicate`.
    """
    row = person.user
    identity = identity_of(person)._replace(
        user_name=own_name(connection, person, user),
        external_id=checked("externalId", user.external_id),
        removed=False,
        details=details_of(user),
    )
    values = {"email": address_of(user), "name": name}
    changes = {field: value for field, value in values.items() if value != getattr(row, field)}
    problems = accounts.field_problems(changes)
    if problems:
        raise invalid(**problems)
    if changes:
        access.require(actor, Action.UPDATE, references.person(row))
    row = accounts.update(connection, actor, row, changes)
    if user.active and row.status == "suspended":
        row = accounts.bring_back(connection, actor, row)
    elif not user.active and row.status != "suspended":
        row = accounts.suspend(connection, actor, row)
    return identify(connection, actor, person._replace(user=row), identity)
