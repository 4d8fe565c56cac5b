"""Logging in with a password, and out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response

from coder_enterprise.server.routes.answers import answer, documented
from coder_enterprise.server.routes.bodies import MAX_FROM_ANYBODY, body, expects
from coder_enterprise.server.routes.dependencies import API, SESSION_TOKEN, Authenticated, Public
from coder_enterprise.server.services.session_tokens import LIFETIME
from coder_enterprise.wire.authentication import AUTH_METHODS, LOGGED_IN, AuthMethods, LoginRequest
from coder_enterprise.wire.common import RESPONSE

router = APIRouter(prefix=API, tags=["Authorization"])


@router.post("/users/login", **documented(LOGGED_IN, responses={401: {}}), openapi_extra=expects(LoginRequest))
async def log_in(services: Public, request: Annotated[LoginRequest, body(LoginRequest, MAX_FROM_ANYBODY)]) -> Response:
    session = await services.sessions.log_in(request)
    response = answer(services.profile, LOGGED_IN, session)
    response.set_cookie(
        SESSION_TOKEN,
        session.session_token,
        max_age=int(LIFETIME.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=services.deployment.access_url.startswith("https:"),
    )
    return response


@router.get("/users/authmethods", **documented(AUTH_METHODS))
async def get_auth_methods(services: Public) -> Response:
    return answer(services.profile, AUTH_METHODS, AuthMethods())


@router.post("/users/logout", **documented(RESPONSE))
async def log_out(caller: Authenticated) -> Response:
    await caller.services.sessions.log_out(caller.actor)
    response = caller.done("Logged out!")
    response.delete_cookie(SESSION_TOKEN)
    return response
