"""What one may do, and whether a password would do."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response

from coder_enterprise.server.routes.answers import documented
from coder_enterprise.server.routes.bodies import MAX_FROM_ANYBODY, body, expects
from coder_enterprise.server.routes.dependencies import API, Authenticated
from coder_enterprise.server.services import passwords
from coder_enterprise.wire.authorization import AUTHORIZATION, AuthorizationRequest
from coder_enterprise.wire.users import PASSWORD_VALIDATED, ValidatePasswordRequest, ValidatePasswordResponse

router = APIRouter(prefix=API, tags=["Authorization"])


@router.post("/authcheck", **documented(AUTHORIZATION), openapi_extra=expects(AuthorizationRequest))
async def check_authorization(
    caller: Authenticated, request: Annotated[AuthorizationRequest, body(AuthorizationRequest)]
) -> Response:
    return caller.answer(AUTHORIZATION, await caller.services.authorization.check(caller.actor, request))


@router.post(
    "/users/validate-password", **documented(PASSWORD_VALIDATED), openapi_extra=expects(ValidatePasswordRequest)
)
async def validate_password(
    caller: Authenticated,
    request: Annotated[ValidatePasswordRequest, body(ValidatePasswordRequest, MAX_FROM_ANYBODY)],
) -> Response:
    problem = passwords.weakness(request.password)
    return caller.answer(PASSWORD_VALIDATED, ValidatePasswordResponse(valid=not problem, details=problem))
