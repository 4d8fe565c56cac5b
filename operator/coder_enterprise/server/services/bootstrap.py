"""What the settings ask for at each start: the organization, the first owner, and the owner's token.

Called once, before anything is served. The owner whom the token belongs to is remembered by id, since people are
renamed and demoted; a start that can serve does so, and warns of what it could not do.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

import structlog

from coder_enterprise.server.access import OWNER
from coder_enterprise.server.errors import BadRequest
from coder_enterprise.server.services import accounts, default_organization, deployment, passwords, session_tokens
from coder_enterprise.server.settings import FirstUser, SettingsError
from coder_enterprise.server.storage import api_keys, site_settings, users
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.server.storage.users import User
from coder_enterprise.wire.users import CreateUserRequest

SETTING: Final = "bootstrap_owner"
"""The user's id, and the username that the settings had when it was noted."""

NEXT_STEP: Final = "Make that user an owner, or let CODER_FIRST_USER_USERNAME name one."

log = structlog.get_logger(__name__)


async def bootstrap(database: Database, first_user: FirstUser | None, token: str | None) -> UUID:
    """The deployment's id. Raises `SettingsError` for a first user who cannot be made, or a token without any user."""
    password_hash = ""
    if first_user is not None and not await database.read(users.count):
        password_hash = await _hash(first_user)
    deployment_id, warning = await database.write(
        lambda connection: _bootstrap(connection, first_user, password_hash, token)
    )
    if warning:
        log.warning("the bootstrap token does not do what it is for", cause=warning)
    return deployment_id


async def _hash(first_user: FirstUser) -> str:
    try:
        accounts.check(CreateUserRequest(**first_user.__dict__), "password")
    except BadRequest as error:
        causes = "; ".join(f"{field} {text}" for field, text in error.validations.items())
        raise SettingsError(f"CODER_FIRST_USER_…: {causes}") from None
    return await passwords.hash_password(first_user.password)


def _bootstrap(
    connection: Connection, first_user: FirstUser | None, password_hash: str, token: str | None
) -> tuple[UUID, str]:
    """The deployment's id, and what to warn of."""
    deployment_id = deployment.ensure_id(connection)
    default_organization.ensure_default(connection)
    if first_user is not None and password_hash and not users.count(connection):
        accounts.create_owner(connection, first_user, password_hash)
    if token is None:
        return deployment_id, ""
    if not users.count(connection):
        raise SettingsError(
            "CODER_BOOTSTRAP_TOKEN_FILE: there is no owner that the token could belong to; set "
            "CODER_FIRST_USER_USERNAME, CODER_FIRST_USER_EMAIL and CODER_FIRST_USER_PASSWORD"
        )
    return deployment_id, _give(connection, first_user.username if first_user else "", token)


def _give(connection: Connection, named: str, token: str) -> str:
    """The token to whom it belongs; `named` is the username of the settings, or "". What to warn of, or ""."""
    noted: dict[str, str] = site_settings.get(connection, SETTING) or {}
    owner = _known(connection, noted, named) or _new(connection, noted, named)
    if owner is not None:
        site_settings.put(connection, SETTING, {"id": str(owner.id), "named": named.lower()})
    elif noted:
        owner = users.get(connection, UUID(noted["id"]))
    if owner is None or owner.deleted:
        api_keys.remove_other(connection, session_tokens.BOOTSTRAP, keep="")
        return f"It opens nothing: {named or 'whom it belonged to'!r} is no owner. {NEXT_STEP}"
    session_tokens.ensure_bootstrap(connection, owner, token)
    if OWNER not in owner.roles or owner.status == "suspended":
        return f"{owner.username!r}, whom it belongs to, is suspended or no owner any more. {NEXT_STEP}"
    if noted and named and named.lower() != noted["named"] and str(owner.id) == noted["id"]:
        return f"It stays with {owner.username!r}: CODER_FIRST_USER_USERNAME names {named!r}, who is no owner."
    return ""


def _known(connection: Connection, noted: dict[str, str], named: str) -> User | None:
    """Whose it was before: by the id, or, from before ids were noted, by the token itself.

    Another username in the settings is the wish to give it to somebody else.
    """
    if not noted:
        return api_keys.user_with(connection, session_tokens.BOOTSTRAP)
    if named and named.lower() != noted["named"]:
        return None
    found = users.get(connection, UUID(noted["id"]))
    return found if found and not found.deleted else None


def _new(connection: Connection, noted: dict[str, str], named: str) -> User | None:
    """An owner whom the settings name; the oldest one where neither they nor an earlier start name anybody."""
    if named:
        found = users.by_username(connection, named)
        return found if found and OWNER in found.roles else None
    return None if noted else users.oldest(connection, OWNER)
