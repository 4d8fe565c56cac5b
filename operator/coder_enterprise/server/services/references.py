"""How paths and bodies name things: ids in every spelling that Coder reads, names, `me` and `default`."""

from __future__ import annotations

from uuid import UUID

from coder_enterprise.server import access
from coder_enterprise.server.access import Actor, Kind, Subject
from coder_enterprise.server.errors import BadRequest, NotFound
from coder_enterprise.server.names import as_uuid
from coder_enterprise.server.storage import organizations, users
from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.organizations import Organization
from coder_enterprise.server.storage.users import User

DEFAULT = "default"
ME = "me"


def uuid_parameter(name: str, text: str) -> UUID:
    """Raises `BadRequest`."""
    value = as_uuid(text)
    if value is None:
        raise BadRequest(f"Invalid UUID {text!r} for {name}.", "It must be 32 hexadecimal digits in 8-4-4-4-12.")
    return value


def organization(connection: Connection, reference: str) -> Organization:
    """By `default`, id or name. Raises `NotFound`."""
    value = as_uuid(reference)
    if reference == DEFAULT or value == UUID(int=0):
        found = organizations.default(connection)
    elif value is not None:
        found = organizations.get(connection, value)
    else:
        found = organizations.by_name(connection, reference)
    if found is None:
        raise NotFound
    return found


def person(row: User) -> Subject:
    """What `access` is asked about a user."""
    return Subject(Kind.USER, row.id, frozenset(row.roles))


def user(connection: Connection, actor: Actor, reference: str) -> User:
    """By `me`, id or username; raises `BadRequest` for one who is unknown, or not for `actor` to see."""
    value = as_uuid(reference)
    if reference == ME or value == actor.id:
        found = users.get(connection, actor.id)
    elif value is not None:
        found = users.get(connection, value)
    else:
        found = users.by_username(connection, reference)
    if found is None or not access.sees(actor, person(found)):
        # Clients tell by these words that a user is gone.
        raise BadRequest("The user must be an existing uuid or username.", f"There is no user {reference!r}.")
    return found
