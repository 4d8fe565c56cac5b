"""What a session token is: how it is made, kept and used; and the one that the settings bring.

Ten characters that name it, a hyphen, and a secret of which only a hash is stored.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import string
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from coder_enterprise.server.services import audit
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.storage import api_keys, users
from coder_enterprise.server.storage.actors import usable
from coder_enterprise.server.storage.api_keys import APIKey
from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.schema import NEVER
from coder_enterprise.server.storage.users import User

LIFETIME: Final = timedelta(hours=24)
"""Of a login, counted from its last use."""
DEFAULT_LIFETIME: Final = timedelta(days=30)
MAX_LIFETIME: Final = timedelta(hours=876_600)
"""As in Coder."""
TOUCH_AFTER: Final = timedelta(hours=1)
CHANGES: Final = "sessions"
"""The channel on which replicas tell each other that a user or a token has changed."""
ACTIVATIONS: Final = "activations"
"""The channel on which replicas tell each other that a dormant user has come back."""
BOOTSTRAP: Final = "bootstrap"
LOGIN: Final = "login"
TOKEN: Final = "token"  # noqa: S105 - what the key is for
"""Made for a program; it lives as long as was asked for, however often it is used."""

_ALPHABET: Final = string.ascii_letters + string.digits


def new_token() -> str:
    first, second = ("".join(secrets.choice(_ALPHABET) for _ in range(length)) for length in (10, 22))
    return f"{first}-{second}"


def hash_secret(secret: str) -> bytes:
    """A random secret of 22 characters needs no slow hash."""
    return hashlib.sha256(secret.encode()).digest()


def session_key(token: str, user_id: UUID, lifetime: timedelta, moment: datetime) -> APIKey:
    """Of a login at `moment`; each use extends it."""
    key_id, _, secret = token.partition("-")
    return APIKey(
        id=key_id,
        secret_hash=hash_secret(secret),
        user_id=user_id,
        purpose=LOGIN,
        created_at=moment,
        last_used_at=moment,
        expires_at=moment + lifetime,
        lifetime_seconds=int(lifetime.total_seconds()),
    )


def ensure_bootstrap(connection: Connection, owner: User, token: str) -> None:
    """Let `token` be the owner's, and the one of an earlier start no more."""
    key_id, _, secret = token.partition("-")
    api_keys.remove_other(connection, BOOTSTRAP, key_id)
    known = api_keys.get_with_user(connection, key_id)
    if known and _is_bootstrap_of(known[0], owner, secret):
        return
    api_keys.remove(connection, key_id)
    moment = now()
    api_keys.create(
        connection, APIKey(key_id, hash_secret(secret), owner.id, BOOTSTRAP, moment, moment, expires_at=None)
    )
    audit.record(connection, owner.id, "create", ("api_key", key_id, owner.username))


def _is_bootstrap_of(key: APIKey, owner: User, secret: str) -> bool:
    same = hmac.compare_digest(key.secret_hash, hash_secret(secret))
    return same and key.purpose == BOOTSTRAP and key.user_id == owner.id


def note_use(connection: Connection, key_id: str) -> None:
    """That a session is in use without requests, once an hour."""
    found = api_keys.get_with_user(connection, key_id)
    moment = now()
    if found is not None and moment - found[0].last_used_at > TOUCH_AFTER:
        touch(connection, found[0], moment)


def touch(connection: Connection, key: APIKey, moment: datetime) -> User:
    """Note the use; a dormant user is active again. Raises `SessionEnded`: the user may have changed since."""
    user = usable(users.get(connection, key.user_id))
    extended = moment + timedelta(seconds=key.lifetime_seconds)
    api_keys.touch(connection, key.id, moment, extended if key.purpose == LOGIN else key.expires_at)
    status = "active" if user.status == "dormant" else user.status
    users.update_fields(connection, user.id, {"last_seen_at": moment, "status": status})
    return user._replace(last_seen_at=moment, status=status)


def token_key(token: str, user_id: UUID, name: str, lifetime: timedelta, moment: datetime) -> APIKey:
    """Of a token that is made at `moment`; without a name it gets one."""
    made = session_key(token, user_id, lifetime, moment)
    return made._replace(purpose=TOKEN, last_used_at=NEVER, name=name or f"token-{made.id}")
