"""Who sends a request: made of a session token's row and its user's, as they are in this transaction."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from coder_enterprise.server.access import Actor
from coder_enterprise.server.scopes import granted
from coder_enterprise.server.storage import api_keys
from coder_enterprise.server.storage.api_keys import APIKey
from coder_enterprise.server.storage.connection import Connection
from coder_enterprise.server.storage.failures import SessionEnded
from coder_enterprise.server.storage.users import User

SIGNED_OUT: Final = "You are signed out or your session has expired. Please sign in again to continue."


def of(key: APIKey, user: User) -> Actor:
    """Raises `SessionEnded`."""
    usable(user)
    return Actor(user.id, user.username, frozenset(user.roles), user.status, user.deleted, key.id, granted(key.scopes))


def current(connection: Connection, sender: Actor) -> Actor:
    """The sender of a request, long after it began. Raises `SessionEnded` when the session is over.

    It is over when the token is gone, which a new password and a log-out see to, or expired, and when its user is
    suspended or deleted. The identity provider has no session.
    """
    if not sender.key_id:
        return sender
    found = api_keys.get_with_user(connection, sender.key_id)
    if found is None or found[1].id != sender.id:
        raise SessionEnded(SIGNED_OUT, "The session ended before the request did.")
    require_unexpired(found[0], datetime.now(UTC))
    return of(*found)


def require_unexpired(key: APIKey, moment: datetime) -> None:
    """Raises `SessionEnded`."""
    if key.expires_at is not None and key.expires_at <= moment:
        raise SessionEnded(SIGNED_OUT, f"The session token expired at {key.expires_at.isoformat()}.")


def usable(user: User | None) -> User:
    """Raises `SessionEnded`."""
    if user is None or user.deleted:
        raise SessionEnded(SIGNED_OUT, "The user of this session token is deleted.")
    if user.status == "suspended":
        raise SessionEnded("Your account is suspended. Contact an admin to reactivate your account.")
    return user
