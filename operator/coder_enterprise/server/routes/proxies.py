"""/workspaceproxies and /regions, for people; and /workspaceproxies/me, for the proxies themselves.

A new token is shown once. The page's answers to creating and changing a proxy have no field for it, so it is in their
header `Coder-Workspace-Proxy-Token`; in the profile `codersdk` it is the body's `proxy_token`.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from coder_enterprise.server.routes.answers import answer, documented
from coder_enterprise.server.routes.bodies import body, expects
from coder_enterprise.server.routes.dependencies import API, Authenticated, Public
from coder_enterprise.server.routes.openapi import PROXY_HEADER, secured_by
from coder_enterprise.wire.common import RESPONSE
from coder_enterprise.wire.profiles import Shape
from coder_enterprise.wire.proxies import (
    PROXIES,
    PROXY,
    PROXY_AUTHENTICATION,
    PROXY_CHANGED,
    PROXY_CREATED,
    REGIONS,
    REGISTERED,
    TOKEN_HEADER,
    CreateWorkspaceProxyRequest,
    DeregisterWorkspaceProxyRequest,
    PatchWorkspaceProxy,
    RegisterWorkspaceProxyRequest,
)

router = APIRouter(prefix=API, tags=["Enterprise"])


@secured_by(PROXY_HEADER)
async def _proxy_token(request: Request, services: Public) -> str:
    """The token of the proxy that calls, before its body is read. Raises `Unauthorized`."""
    token = request.headers.get(PROXY_AUTHENTICATION, "")
    await services.registrations.authenticate(token)
    return token


ProxyToken = Annotated[str, Depends(_proxy_token)]


def _with_token(shape: Shape[Any], when: str) -> dict[str, Any]:
    """`documented`, and what OpenAPI says of the header."""
    description = f"The proxy's token, {when}. It is shown this once."
    header = {TOKEN_HEADER: {"description": description, "schema": {"type": "string"}}}
    return documented(shape, responses={shape.documented.status: {"headers": header}})


@router.get("/regions", **documented(REGIONS), summary="Get site-wide regions for workspace connections")
async def list_regions(caller: Authenticated) -> Response:
    return caller.answer(REGIONS, await caller.services.proxies.regions())


@router.get("/workspaceproxies", **documented(PROXIES), summary="Get workspace proxies")
async def list_proxies(caller: Authenticated) -> Response:
    return caller.answer(PROXIES, await caller.services.proxies.list(caller.actor))


@router.post(
    "/workspaceproxies",
    **_with_token(PROXY_CREATED, "<id>:<64 hexadecimal digits>"),
    summary="Create workspace proxy",
    openapi_extra=expects(CreateWorkspaceProxyRequest),
)
async def create_proxy(
    caller: Authenticated, request: Annotated[CreateWorkspaceProxyRequest, body(CreateWorkspaceProxyRequest)]
) -> Response:
    return caller.answer(PROXY_CREATED, await caller.services.proxies.create(caller.actor, request))


@router.get("/workspaceproxies/{workspaceproxy}", **documented(PROXY), summary="Get workspace proxy")
async def get_proxy(workspaceproxy: str, caller: Authenticated) -> Response:
    return caller.answer(PROXY, await caller.services.proxies.get(caller.actor, workspaceproxy))


@router.patch(
    "/workspaceproxies/{workspaceproxy}",
    **_with_token(PROXY_CHANGED, "when regenerate_token asked for a new one"),
    summary="Update workspace proxy",
    openapi_extra=expects(PatchWorkspaceProxy),
)
async def patch_proxy(
    workspaceproxy: str, caller: Authenticated, request: Annotated[PatchWorkspaceProxy, body(PatchWorkspaceProxy)]
) -> Response:
    return caller.answer(PROXY_CHANGED, await caller.services.proxies.patch(caller.actor, workspaceproxy, request))


@router.delete("/workspaceproxies/{workspaceproxy}", **documented(RESPONSE), summary="Delete workspace proxy")
async def delete_proxy(workspaceproxy: str, caller: Authenticated) -> Response:
    await caller.services.proxies.delete(caller.actor, workspaceproxy)
    return caller.done("Workspace proxy has been deleted!")


@router.post(
    "/workspaceproxies/me/register",
    **documented(REGISTERED),
    summary="Register workspace proxy",
    openapi_extra=expects(RegisterWorkspaceProxyRequest),
)
async def register_proxy(
    services: Public,
    token: ProxyToken,
    request: Annotated[RegisterWorkspaceProxyRequest, body(RegisterWorkspaceProxyRequest)],
) -> Response:
    return answer(services.profile, REGISTERED, await services.registrations.register(token, request))


@router.post(
    "/workspaceproxies/me/deregister",
    status_code=204,
    response_class=Response,
    summary="Deregister workspace proxy",
    openapi_extra=expects(DeregisterWorkspaceProxyRequest),
)
async def deregister_proxy(
    services: Public,
    token: ProxyToken,
    request: Annotated[DeregisterWorkspaceProxyRequest, body(DeregisterWorkspaceProxyRequest)],
) -> Response:
    await services.registrations.deregister(token, request)
    return Response(status_code=204)
