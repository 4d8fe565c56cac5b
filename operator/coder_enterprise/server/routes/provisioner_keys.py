"""/organizations/{organization}/provisionerkeys."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response

from coder_enterprise.server.routes.answers import documented
from coder_enterprise.server.routes.bodies import body, expects
from coder_enterprise.server.routes.dependencies import API, Authenticated
from coder_enterprise.server.routes.provisioner_daemons import LICENSED
from coder_enterprise.wire.provisioner_daemons import KEY_CREATED, KEYS, CreateProvisionerKeyRequest

router = APIRouter(prefix=API, tags=["Enterprise"])


@router.get("/organizations/{organization}/provisionerkeys", **documented(KEYS), dependencies=[LICENSED])
async def list_keys(organization: str, caller: Authenticated) -> Response:
    return caller.answer(KEYS, await caller.services.provisioner_keys.list(caller.actor, organization))


@router.post(
    "/organizations/{organization}/provisionerkeys",
    **documented(KEY_CREATED),
    dependencies=[LICENSED],
    openapi_extra=expects(CreateProvisionerKeyRequest),
)
async def create_key(
    organization: str,
    caller: Authenticated,
    request: Annotated[CreateProvisionerKeyRequest, body(CreateProvisionerKeyRequest)],
) -> Response:
    created = await caller.services.provisioner_keys.create(caller.actor, organization, request)
    return caller.answer(KEY_CREATED, created)


@router.delete("/organizations/{organization}/provisionerkeys/{key}", status_code=204, dependencies=[LICENSED])
async def delete_key(organization: str, key: str, caller: Authenticated) -> Response:
    await caller.services.provisioner_keys.delete(caller.actor, organization, key)
    return Response(status_code=204)
