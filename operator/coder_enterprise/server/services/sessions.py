"""Session tokens: who sends a request, logging in and out, and the token that the settings bring.

A token is ten characters that name it, a hyphen, and a secret of which only a hash is stored. Who a token belongs to
is remembered for a second, and forgotten at once when this process changes a user or a token, and as soon as it is
told when another replica does.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import string
import time
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

from coder_enterprise.server.access import Actor
from coder_enterprise.server.errors import Unauthorized
from coder_enterprise.server.services import audit, passwords
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.settings import TOKEN_FORM
from coder_enterprise.server.storage import actors, api_keys, users
from coder_enterprise.server.storage.actors import SIGNED_OUT, usable
from coder_enterprise.server.storage.api_keys import APIKey
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.server.storage.users import User
from coder_enterprise.wire.authentication import LoginRequest, LoginResponse

REMEMBERED: Final = 1.0
"""Seconds."""
MAX_REMEMBERED: Final = 10_000
LIFETIME: Final = timedelta(hours=24)
"""Of a login, counted from its last use."""
TOUCH_AFTER: Final = timedelta(hours=1)
MAX_NOTED: Final = 254
"""Characters of an e-mail address that nobody has."""
CHANGES: Final = "sessions"
"""The channel on which replicas tell each other that a user or a token has changed."""
ACTIVATIONS: Final = "activations"
"""The channel on which replicas tell each other that a dormant user has come back."""
BOOTSTRAP: Final = "bootstrap"
LOGIN: Final = "login"
TOKEN: Final = "token"  # noqa: S105 - what the key is for
"""Made for a program; it lives as long as was asked for, however often it is used."""

_ALPHABET: Final = string.ascii_letters + string.digits


class Sessions:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._remembered: dict[bytes, tuple[Actor, float]] = {}
        self._changes = 0
        database.notifications.subscribe(CHANGES, self._forget)

    async def authenticate(self, token: str) -> Actor:
        """Raises `Unauthorized`."""
        if not token:
            raise Unauthorized(SIGNED_OUT, "No session token was sent.")
        if not TOKEN_FORM.fullmatch(token):
            raise Unauthorized(SIGNED_OUT, "The session token is malformed.")
        digest = hashlib.sha256(token.encode()).digest()
        known = self._remembered.get(digest)
        if known is not None and known[1] > time.monotonic():
            return known[0]
        changes = self._changes
        actor = await self._look_up(token)
        if changes == self._changes:
            if len(self._remembered) >= MAX_REMEMBERED:
                self._remembered.clear()
            self._remembered[digest] = (actor, time.monotonic() + REMEMBERED)
        return actor

    async def forget(self) -> None:
        """A user or a token has changed; here at once, and in other replicas soon."""
        self._forget()
        await self._database.notifications.publish(CHANGES)

    async def log_in(self, request: LoginRequest) -> LoginResponse:
        """Raises `Unauthorized`."""
        token = new_token()
        is_in = False
        while not is_in:
            user = await self._database.look_up(lambda connection: users.by_email(connection, request.email))
            stored = user.password_hash if user else ""
            matches = await passwords.verify(request.password, stored)
            if user is None or not matches or user.login_type != "password":
                await self._database.write(partial(_note_failure, user=user, email=request.email))
                raise Unauthorized("Incorrect email or password.")
            anew = await passwords.hash_password(request.password) if passwords.is_outdated(stored) else stored
            is_in = await self._database.write(partial(_log_in, verified=user, token=token, password_hash=anew))
        await self.forget()
        return LoginResponse(session_token=token)

    async def log_out(self, actor: Actor) -> None:
        await self._database.write_as(actor, _log_out)
        await self.forget()

    def _forget(self, _: str | None = None) -> None:
        self._changes += 1
        self._remembered.clear()

    async def _look_up(self, token: str) -> Actor:
        key_id, _, secret = token.partition("-")
        found = await self._database.look_up(lambda connection: api_keys.get_with_user(connection, key_id))
        if found is None:
            raise Unauthorized(SIGNED_OUT, "The session token is unknown.")
        key, user = found
        if not hmac.compare_digest(hash_secret(secret), key.secret_hash):
            raise Unauthorized(SIGNED_OUT, "The session token is unknown.")
        moment = now()
        actors.require_unexpired(key, moment)
        usable(user)
        if user.status == "dormant" or moment - key.last_used_at > TOUCH_AFTER:
            was = user.status
            user = await self._database.write(lambda connection: _touch(connection, key, moment))
            if user.status != was:
                await self._database.notifications.publish(ACTIVATIONS)
        return actors.of(key, user)


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
        _touch(connection, found[0], moment)


def _log_in(connection: Connection, *, verified: User, token: str, password_hash: str) -> bool:
    """Whether it is done: not when the password is hashed otherwise than the one that was verified, or is another.

    `password_hash` is the password's hash as it is made today. Raises `Unauthorized` for a user who cannot log in any
    more.
    """
    user = usable(users.get(connection, verified.id))
    if (user.password_hash, user.login_type) != (verified.password_hash, verified.login_type):
        return False
    if password_hash != user.password_hash:
        users.update_fields(connection, user.id, {"password_hash": password_hash})
    key_id, _, _ = token.partition("-")
    moment = now()
    key = session_key(token, user.id, LIFETIME, moment)
    api_keys.create(connection, key)
    audit.record(connection, user.id, "login", ("api_key", key_id, user.username))
    _touch(connection, key, moment)
    return True


def _note_failure(connection: Connection, *, user: User | None, email: str) -> None:
    """Who it was is not known, so there is no actor."""
    resource = ("user", user.id, user.username) if user else ("user", "", email[:MAX_NOTED])
    audit.record(connection, None, "login_failed", resource)


def _log_out(connection: Connection, actor: Actor) -> None:
    api_keys.remove(connection, actor.key_id)
    audit.record(connection, actor.id, "logout", ("api_key", actor.key_id, actor.username))


def _touch(connection: Connection, key: APIKey, moment: datetime) -> User:
    """Note the use; a dormant user is active again. Raises `Unauthorized`: the user may have changed since."""
    user = usable(users.get(connection, key.user_id))
    extended = moment + timedelta(seconds=key.lifetime_seconds)
    api_keys.touch(connection, key.id, moment, extended if key.purpose == LOGIN else key.expires_at)
    status = "active" if user.status == "dormant" else user.status
    users.update_fields(connection, user.id, {"last_seen_at": moment, "status": status})
    return user._replace(last_seen_at=moment, status=status)
