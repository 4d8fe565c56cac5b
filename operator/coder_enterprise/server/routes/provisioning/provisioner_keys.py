"""/organizations/{organization}/provisionerkeys, and /provisionerkeys for who has one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from coder_enterprise.server.routes.answers import answer, documented
from coder_enterprise.server.routes.bodies import body, expects
from coder_enterprise.server.routes.dependencies import API, Authenticated, Public
from coder_enterprise.server.routes.logs import SECRETS
from coder_enterprise.server.routes.openapi import DAEMON_KEY, any_of
from coder_enterprise.server.routes.provisioning.provisioner_daemons import LICENSED
from coder_enterprise.wire.provisioner_daemons import (
    KEY,
    KEY_CREATED,
    KEY_DAEMONS,
    KEYS,
    CreateProvisionerKeyRequest,
)

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


@router.get("/organizations/{organization}/provisionerkeys/daemons", **documented(KEY_DAEMONS), dependencies=[LICENSED])
async def list_daemons_by_key(organization: str, caller: Authenticated) -> Response:
    found = await caller.services.provisioner_daemons.by_key(caller.actor, organization)
    return await caller.answer_list(KEY_DAEMONS, found)


@router.get(
    f"{SECRETS}{{provisionerkey}}",
    **documented(KEY),
    dependencies=[LICENSED],
    openapi_extra={"security": any_of(DAEMON_KEY)},
)
async def get_key_of_secret(
    provisionerkey: Annotated[str, Path(description="The key itself, which the header may hold in its place")],
    request: Request,
    services: Public,
) -> Response:
    """The key is what authenticates, so that the answer is about no other one."""
    secret = request.headers.get("coder-provisioner-daemon-key", provisionerkey)
    return answer(services.profile, KEY, await services.provisioner_keys.of_secret(secret))


@router.delete("/organizations/{organization}/provisionerkeys/{key}", status_code=204, dependencies=[LICENSED])
async def delete_key(organization: str, key: str, caller: Authenticated) -> Response:
    await caller.services.provisioner_keys.delete(caller.actor, organization, key)
    return Response(status_code=204)
