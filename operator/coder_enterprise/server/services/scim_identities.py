"""What is kept of people in the words of their identity provider, and each change of it."""

from __future__ import annotations

from typing import Any, Final

from scim2_models import InvalidValueException, UniquenessException

from coder_enterprise.server import access
from coder_enterprise.server.access import Action, Actor
from coder_enterprise.server.services import audit, references
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.scim_names import address_of, checked
from coder_enterprise.server.services.scim_resources import Name, User
from coder_enterprise.server.storage import scim
from coder_enterprise.server.storage import users as stored_users
from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.scim import Identity, Person

MAX_EMAILS: Final = 20


def own_name(connection: Connection, person: Person, user: User) -> str:
    """What the identity provider calls them from now on. Raises `InvalidValueException` and `UniquenessException`."""
    user_name = checked("userName", user.user_name) or ""
    others = [other for other in scim.by_user_name(connection, user_name) if other.user.id != person.user.id]
    if others:
        raise UniquenessException(detail=f"Another user has the userName {user_name!r}.")
    return user_name


def identify(connection: Connection, actor: Actor, person: Person, identity: Identity) -> Person:
    known = scim.get(connection, identity.user_id)
    before = identity_of(known or person)
    if identity != before:
        if actor is not access.IDENTITY_PROVIDER:  # whose own these are
            access.require(actor, Action.UPDATE, references.person(person.user))
        scim.save(connection, identity)
        resource = ("user", person.user.id, person.user.username)
        shown = [{**each._asdict(), "user_id": str(each.user_id)} for each in (before, identity)]
        audit.record(connection, actor.account, "write", resource, before=shown[0], after=shown[1])
        person = person._replace(user=person.user._replace(updated_at=now()))
        stored_users.update_fields(connection, person.user.id, {"updated_at": person.user.updated_at})
    return person._replace(identity=identity)


def identity_of(person: Person) -> Identity:
    return person.identity or Identity(person.user.id, person.user.username, None, False, {})


def details_of(user: User) -> dict[str, Any]:
    """What is stored as it was sent."""
    details: dict[str, Any] = {}
    name = user.name.model_dump(scim_ctx=None, include=set(Name.model_fields)) if user.name else {}
    parts = {part: checked(f"name.{part}", value) for part, value in name.items() if value}
    if parts:
        details["name"] = parts
    emails = [
        {
            "value": checked("emails.value", email.value),
            "type": checked("emails.type", email.type and str(email.type)),
            "primary": email.primary,
        }
        for email in user.emails or []
    ]
    if len(emails) > MAX_EMAILS:
        raise InvalidValueException(detail=f"A user has at most {MAX_EMAILS} e-mail addresses.")
    if emails != [_only_email(address_of(user))]:
        details["emails"] = emails
    return details


def _only_email(address: str) -> dict[str, Any]:
    return {"value": address, "type": "work", "primary": True}


def sent_emails(person: Person) -> list[dict[str, Any]]:
    """As they were sent, unless Coder's own is not among them any more."""
    sent: list[dict[str, Any]] = identity_of(person).details.get("emails", [])
    return sent if any(email["value"] == person.user.email for email in sent) else [_only_email(person.user.email)]
