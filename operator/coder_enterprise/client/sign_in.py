"""A token of one's own: what a person with a password does once, so that the operator has what to send.

Called by `coder-enterprise create token-secret`; the operator itself never signs in.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from pydantic import Field

from coder_enterprise.client import errors, records
from coder_enterprise.client.http import ConnectionSettings, Transport
from coder_enterprise.wire.authentication import LoginRequest
from coder_enterprise.wire.tokens import CreateTokenRequest

NANOSECONDS_PER_DAY: Final = 86_400 * 10**9


class _Session(records.Record):
    session_token: str = Field(repr=False)


class _Key(records.Record):
    key: str = Field(repr=False)


async def mint_token(settings: ConnectionSettings, email: str, password: str, name: str, days: int = 0) -> str:
    """A new session token of that person, called `name` in Coder; for `days`, or as long as Coder likes.

    The session that it takes is ended again. Raises `errors.CoderError`, which never has the password.
    """
    session = await _sign_in(settings, email, password)
    transport = Transport(replace(settings, token=session))
    request = CreateTokenRequest(lifetime=days * NANOSECONDS_PER_DAY, token_name=name)
    try:
        made = await transport.send("keys.create", "POST", "/users/me/keys/tokens", request, _Key)
        await _sign_out(transport)
    finally:
        await transport.close()
    return made.key


async def _sign_in(settings: ConnectionSettings, email: str, password: str) -> str:
    transport = Transport(replace(settings, token=""))
    request = LoginRequest(email=email, password=password)
    try:
        return (await transport.send("users.login", "POST", "/users/login", request, _Session)).session_token
    except errors.APIError as error:
        if password in error.message:
            error.mute("Coder refused the login")
        raise
    finally:
        await transport.close()


async def _sign_out(transport: Transport) -> None:
    """The session ends by itself where this does not work."""
    try:
        await transport.send("users.logout", "POST", "/users/logout", None, records.Done)
    except errors.CoderError:
        return
