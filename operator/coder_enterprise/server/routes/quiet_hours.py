"""/users/{user}/quiet-hours."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response

from coder_enterprise.server.routes.answers import documented
from coder_enterprise.server.routes.bodies import body, expects
from coder_enterprise.server.routes.dependencies import API, Authenticated
from coder_enterprise.wire.quiet_hours import QUIET_HOURS, UpdateQuietHoursRequest

router = APIRouter(prefix=API, tags=["Enterprise"])


@router.get("/users/{user}/quiet-hours", **documented(QUIET_HOURS), summary="Get user quiet hours schedule")
async def get_quiet_hours(user: str, caller: Authenticated) -> Response:
    return caller.answer(QUIET_HOURS, await caller.services.quiet_hours.get(caller.actor, user))


@router.put(
    "/users/{user}/quiet-hours",
    **documented(QUIET_HOURS),
    summary="Update user quiet hours schedule",
    openapi_extra=expects(UpdateQuietHoursRequest),
)
async def put_quiet_hours(
    user: str, caller: Authenticated, request: Annotated[UpdateQuietHoursRequest, body(UpdateQuietHoursRequest)]
) -> Response:
    return caller.answer(QUIET_HOURS, await caller.services.quiet_hours.put(caller.actor, user, request))
