"""/users/{user}/keys."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response

from coder_enterprise.server.routes.answers import documented
from coder_enterprise.server.routes.bodies import body, expects
from coder_enterprise.server.routes.dependencies import API, Authenticated
from coder_enterprise.wire.tokens import API_KEY, KEY_CREATED, TOKEN_CONFIG, TOKENS, CreateTokenRequest

router = APIRouter(prefix=API, tags=["Users"])


@router.post("/users/{user}/keys", **documented(KEY_CREATED))
async def create_session_key(user: str, caller: Authenticated) -> Response:
    return caller.answer(KEY_CREATED, await caller.services.tokens.create_session(caller.actor, user))


@router.post("/users/{user}/keys/tokens", **documented(KEY_CREATED), openapi_extra=expects(CreateTokenRequest))
async def create_token(
    user: str, caller: Authenticated, request: Annotated[CreateTokenRequest, body(CreateTokenRequest)]
) -> Response:
    return caller.answer(KEY_CREATED, await caller.services.tokens.create(caller.actor, user, request))


@router.get("/users/{user}/keys/tokens", **documented(TOKENS))
async def list_tokens(user: str, caller: Authenticated, *, include_all: bool = False) -> Response:
    found = await caller.services.tokens.list(caller.actor, user, everybody=include_all)
    return caller.answer(TOKENS, found)


@router.get("/users/{user}/keys/tokens/tokenconfig", **documented(TOKEN_CONFIG))
async def get_token_config(user: str, caller: Authenticated) -> Response:
    return caller.answer(TOKEN_CONFIG, await caller.services.tokens.config(caller.actor, user))


@router.get("/users/{user}/keys/{key}", **documented(API_KEY))
@router.get("/users/{user}/keys/tokens/{key}", **documented(API_KEY))
async def get_key(user: str, key: str, caller: Authenticated) -> Response:
    return caller.answer(API_KEY, await caller.services.tokens.get(caller.actor, user, key))


@router.delete("/users/{user}/keys/{key}", status_code=204)
@router.delete("/users/{user}/keys/tokens/{key}", status_code=204)
async def delete_key(user: str, key: str, caller: Authenticated) -> Response:
    await caller.services.tokens.delete(caller.actor, user, key)
    return Response(status_code=204)
