"""/appearance."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response

from coder_enterprise.server.routes.answers import documented
from coder_enterprise.server.routes.bodies import body, expects
from coder_enterprise.server.routes.dependencies import API, Authenticated
from coder_enterprise.wire.appearance import APPEARANCE, APPEARANCE_UPDATED, UpdateAppearanceRequest

router = APIRouter(prefix=API, tags=["Enterprise"])


@router.get("/appearance", **documented(APPEARANCE), summary="Get appearance")
async def get_appearance(caller: Authenticated) -> Response:
    return caller.answer(APPEARANCE, await caller.services.appearance.get())


@router.put(
    "/appearance",
    **documented(APPEARANCE_UPDATED),
    summary="Update appearance",
    openapi_extra=expects(UpdateAppearanceRequest),
)
async def put_appearance(
    caller: Authenticated, request: Annotated[UpdateAppearanceRequest, body(UpdateAppearanceRequest)]
) -> Response:
    return caller.answer(APPEARANCE_UPDATED, await caller.services.appearance.put(caller.actor, request))
