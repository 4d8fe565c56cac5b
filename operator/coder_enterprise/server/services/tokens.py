"""Keys that people make for themselves and for programs: who may make them, how long they live, and their end.

Only an owner has to do with the keys of others; to everybody else these do not exist. A token can be narrowed to
scopes, and one that is narrowed makes no other that may do more.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from coder_enterprise.server import access, names, scopes
from coder_enterprise.server.access import Action, Actor, Kind, Subject
from coder_enterprise.server.errors import Forbidden, NotFound, invalid, taken
from coder_enterprise.server.services import audit, references
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.session_tokens import (
    DEFAULT_LIFETIME,
    MAX_LIFETIME,
    TOKEN,
    new_token,
    session_key,
    token_key,
)
from coder_enterprise.server.services.sessions import Sessions
from coder_enterprise.server.storage import api_keys
from coder_enterprise.server.storage.api_keys import APIKey as KeyRow
from coder_enterprise.server.storage.database import Connection, Database, Duplicate
from coder_enterprise.server.storage.schema import NEVER
from coder_enterprise.server.storage.users import User
from coder_enterprise.wire.tokens import APIKey, APIKeyWithOwner, CreatedKey, CreateTokenRequest, TokenConfig

SESSION_LIFETIME: Final = timedelta(days=7)
EVERY_RESOURCE: Final = "*:*"
MAX_NAME: Final = 64
RESERVED: Final = "tokenconfig"


class Tokens:
    def __init__(self, database: Database, sessions: Sessions) -> None:
        self._database = database
        self._sessions = sessions

    async def create_session(self, actor: Actor, reference: str) -> CreatedKey:
        """A key as a login makes it, for a week. Raises `Forbidden`, and `BadRequest` for an unknown user."""
        token = new_token()

        def work(connection: Connection, actor: Actor) -> None:
            user = _owner_of_keys(connection, actor, reference)
            _create(connection, actor, user, session_key(token, user.id, SESSION_LIFETIME, now()))

        await self._database.write_as(actor, work)
        return CreatedKey(key=token)

    async def create(self, actor: Actor, reference: str, request: CreateTokenRequest) -> CreatedKey:
        """Raises `Forbidden`, `BadRequest`, and `Conflict` for a name that is taken."""
        _check(request)
        token = new_token()

        def work(connection: Connection, actor: Actor) -> None:
            user = _owner_of_keys(connection, actor, reference)
            row = _token_key(token, user, request)
            if not scopes.covers(actor.scopes, scopes.granted(row.scopes)):
                raise Forbidden("The token is narrowed to less than this.", "It can make none that may do more.")
            _create(connection, actor, user, row)

        await self._database.write_as(actor, work)
        return CreatedKey(key=token)

    async def list(self, actor: Actor, reference: str, *, everybody: bool) -> list[APIKeyWithOwner]:
        """Those that the actor may see, oldest first. Raises `BadRequest` for an unknown user."""

        def work(connection: Connection) -> list[tuple[KeyRow, str]]:
            user = references.user(connection, actor, reference)
            found = api_keys.with_usernames(connection, TOKEN, None if everybody else user.id)
            return [(key, name) for key, name in found if access.sees(actor, _keys_of(key.user_id))]

        rows = await self._database.read(work)
        return [APIKeyWithOwner.model_construct(**_to_wire(key).__dict__, username=name) for key, name in rows]

    async def get(self, actor: Actor, reference: str, key: str) -> APIKey:
        """By id, or by the name of a token. Raises `BadRequest` for an unknown user, and `NotFound`."""
        return await self._database.read(lambda connection: _to_wire(_find(connection, actor, reference, key)[1]))

    async def delete(self, actor: Actor, reference: str, key: str) -> None:
        """Like `get`."""

        def work(connection: Connection, actor: Actor) -> None:
            user, row = _find(connection, actor, reference, key)
            api_keys.remove(connection, row.id)
            audit.record(connection, actor.id, "delete", ("api_key", row.id, user.username), before=_shown(row))

        await self._database.write_as(actor, work)
        await self._sessions.forget()

    async def config(self, actor: Actor, reference: str) -> TokenConfig:
        """Raises `BadRequest` for an unknown user."""
        await self._database.read(lambda connection: references.user(connection, actor, reference))
        return TokenConfig(max_token_lifetime=_nanoseconds(MAX_LIFETIME))


def _nanoseconds(lifetime: timedelta) -> int:
    return lifetime // timedelta(microseconds=1) * 1000


def _check(request: CreateTokenRequest) -> None:
    problems: dict[str, str] = {}
    if request.lifetime < 0 or request.lifetime > _nanoseconds(MAX_LIFETIME):
        problems["lifetime"] = f"must be nanoseconds, more than 0 and at most {_nanoseconds(MAX_LIFETIME)}"
    name = request.token_name
    if names.text_problem(name, MAX_NAME) or "/" in name or name == RESERVED:
        problems["token_name"] = (
            f"must have at most {MAX_NAME} printable characters, no slash, no space at its ends, and not be {RESERVED}"
        )
    for field, sent in (("scope", [request.scope] if request.scope else []), ("scopes", request.scopes)):
        unknown = sorted(set(scopes.canonical(sent)) - scopes.NAMES)
        if unknown:
            problems[field] = f"{', '.join(unknown)}: no such scope; there are {', '.join(sorted(scopes.NAMES))}"
    if not set(request.allow_list) <= {EVERY_RESOURCE}:
        problems["allow_list"] = f"must be empty or {EVERY_RESOURCE}: this server narrows no token to single resources"
    if problems:
        raise invalid(**problems)


def _owner_of_keys(connection: Connection, actor: Actor, reference: str) -> User:
    """Raises `BadRequest` for an unknown user, `NotFound` for a deleted one, and `Forbidden`."""
    user = references.user(connection, actor, reference)
    if user.deleted:
        raise NotFound
    access.require(actor, Action.CREATE, _keys_of(user.id))
    if user.status == "suspended":
        raise Forbidden("A suspended user can have no new key.", "Activate the user first.")
    return user


def _keys_of(user_id: UUID) -> Subject:
    return Subject(Kind.API_KEY, user_id)


def _find(connection: Connection, actor: Actor, reference: str, key: str) -> tuple[User, KeyRow]:
    user = references.user(connection, actor, reference)
    if not access.sees(actor, _keys_of(user.id)):
        raise NotFound
    row = api_keys.by_id(connection, user.id, key) or api_keys.by_name(connection, user.id, key)
    if row is None:
        raise NotFound
    return user, row


def _token_key(token: str, user: User, request: CreateTokenRequest) -> KeyRow:
    lifetime = timedelta(microseconds=request.lifetime / 1000) if request.lifetime else DEFAULT_LIFETIME
    row = token_key(token, user.id, request.token_name, lifetime, now())
    return row._replace(scopes=scopes.canonical(request.scopes or [request.scope or scopes.EVERYTHING]))


def _create(connection: Connection, actor: Actor, user: User, row: KeyRow) -> None:
    try:
        api_keys.create(connection, row)
    except Duplicate:
        raise taken(f"A token named {row.name!r} exists already.", field="token_name") from None
    audit.record(connection, actor.id, "create", ("api_key", row.id, user.username), after=_shown(row))


def _shown(row: KeyRow) -> dict[str, object]:
    return {"purpose": row.purpose, "name": row.name or "", "lifetime_seconds": row.lifetime_seconds} | (
        {} if scopes.EVERYTHING in row.scopes else {"scopes": list(row.scopes)}
    )


def _to_wire(row: KeyRow) -> APIKey:
    return APIKey.model_construct(
        id=row.id,
        user_id=row.user_id,
        last_used=row.last_used_at,
        expires_at=row.expires_at or NEVER,
        created_at=row.created_at,
        updated_at=row.created_at,
        login_type="token" if row.purpose == TOKEN else "password",
        token_name=row.name or "",
        lifetime_seconds=row.lifetime_seconds,
        scope=_old_scope(row.scopes),
        scopes=list(row.scopes),
    )


def _old_scope(names: Sequence[str]) -> str:
    """As clients knew them when a token had one of two; "" for all others, as in Coder."""
    if scopes.CONNECT in names:
        return "application_connect"
    return "all" if scopes.EVERYTHING in names else ""
