"""Sessions: who sends a request, logging in and out.

Who a token belongs to is remembered for a second, and forgotten at once when this process changes a user or a token,
and as soon as it is told when another replica does.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from functools import partial
from typing import Final

from coder_enterprise.server import names, scopes
from coder_enterprise.server.access import Actor
from coder_enterprise.server.errors import Unauthorized
from coder_enterprise.server.services import audit, passwords
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.session_tokens import (
    ACTIVATIONS,
    CHANGES,
    LIFETIME,
    TOUCH_AFTER,
    hash_secret,
    new_token,
    session_key,
    touch,
)
from coder_enterprise.server.settings import TOKEN_FORM
from coder_enterprise.server.storage import actors, api_keys, users
from coder_enterprise.server.storage.actors import SIGNED_OUT, usable
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.server.storage.users import User
from coder_enterprise.wire.authentication import LoginRequest, LoginResponse

REMEMBERED: Final = 1.0
"""Seconds."""
MAX_REMEMBERED: Final = 10_000


class Sessions:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._remembered: dict[bytes, tuple[Actor, float]] = {}
        self._changes = 0
        database.notifications.subscribe(CHANGES, self._forget)

    async def authenticate(self, token: str) -> Actor:
        """For what no scope is for. Raises `Unauthorized`, and `Forbidden` for a token that is narrowed."""
        actor = await self.identify(token)
        scopes.require(actor.scopes, None)
        return actor

    async def identify(self, token: str) -> Actor:
        """Who asks for the token's scopes then. Raises `Unauthorized`."""
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
        found = await self._database.look_up(api_keys.with_user(key_id))
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
            user = await self._database.write(lambda connection: touch(connection, key, moment))
            if user.status != was:
                await self._database.notifications.publish(ACTIVATIONS)
        return actors.of(key, user)


def _log_in(connection: Connection, *, verified: User, token: str, password_hash: str) -> bool:
    """Whether it is done: not when the password is hashed otherwise than the one that was verified, or is another.

    `password_hash` is the password's hash as it is made today. Raises `SessionEnded` for a user who cannot log in any
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
    touch(connection, key, moment)
    return True


def _note_failure(connection: Connection, *, user: User | None, email: str) -> None:
    """Who it was is not known, so there is no actor. What is no address may be a password in the wrong field."""
    unknown = "" if names.email_problem(email) else email
    resource = ("user", user.id, user.username) if user else ("user", "", unknown)
    audit.record(connection, None, "login_failed", resource)


def _log_out(connection: Connection, actor: Actor) -> None:
    api_keys.remove(connection, actor.key_id)
    audit.record(connection, actor.id, "logout", ("api_key", actor.key_id, actor.username))
