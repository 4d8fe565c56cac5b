"""What an identity provider calls people, and what becomes of it here: names, addresses and usernames."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from typing import Final

from scim2_models import InvalidValueException

from coder_enterprise.server import names
from coder_enterprise.server.services.scim_resources import Name, User
from coder_enterprise.server.storage import users as stored_users
from coder_enterprise.server.storage.database import Connection

MAX_TEXT: Final = 254
_ILLEGAL: Final = re.compile("[^A-Za-z0-9-]+")


def address_of(user: User) -> str:
    """The primary address, or else the first. Raises `InvalidValueException`."""
    emails = user.emails or []
    chosen = next((email for email in emails if email.primary), emails[0] if emails else None)
    address = checked("emails.value", chosen.value) if chosen else None
    if not address:
        raise InvalidValueException(detail="emails: an address is needed")
    return address


def shown_name(user: User) -> str:
    """What Coder shows: displayName, or else what the name's parts make."""
    return (checked("displayName", user.display_name) or _full_name(user.name)).strip()


def patched_name(before: User, after: User) -> str:
    """The name follows its parts only when they change, and displayName does not."""
    if after.display_name == before.display_name and after.name != before.name:
        return _full_name(after.name)
    return (checked("displayName", after.display_name) or "").strip()


def _full_name(name: Name | None) -> str:
    if name is None:
        return ""
    full = name.formatted or " ".join(filter(None, (name.given_name, name.family_name)))
    return checked("name", full.strip()) or ""


def checked(field: str, value: str | None) -> str | None:
    """Raises `InvalidValueException` for what no database and no page should show."""
    if not value:
        return None
    if len(value.lower()) > MAX_TEXT or len(value) > MAX_TEXT or not names.is_printable(value):
        raise InvalidValueException(detail=f"{field}: must have at most {MAX_TEXT} characters, all of them printable")
    return value


def free_username(connection: Connection, user_name: str) -> str:
    """One that is free: Coder's rules are narrower than SCIM's.

    What follows the last @ goes, and so does what may not be in a username; when nothing is left, it is made up.
    """
    wanted = user_name
    if not names.FORM.fullmatch(wanted):
        wanted = _ILLEGAL.sub("", wanted.rpartition("@")[0] or wanted)
        wanted = re.sub("-+", "-", wanted)
    wanted = wanted[: names.MAX_USERNAME].strip("-") or f"user-{secrets.token_hex(4)}"
    return next(
        name
        for name in _alternatives(wanted)
        if not names.username_problem(name) and stored_users.by_username(connection, name) is None
    )


def _alternatives(wanted: str) -> Iterator[str]:
    yield wanted
    for number in range(2, 10):
        yield f"{wanted[: names.MAX_USERNAME - 2].strip('-')}-{number}"
    while True:
        yield f"{wanted[: names.MAX_USERNAME - 9].strip('-')}-{secrets.token_hex(4)}"
