"""/organizations/{organization}/members."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response

from coder_enterprise.server.routes.answers import documented
from coder_enterprise.server.routes.bodies import body, expects
from coder_enterprise.server.routes.dependencies import API, Authenticated
from coder_enterprise.wire.members import MEMBER, MEMBERS
from coder_enterprise.wire.users import ASSIGNABLE_ROLES, UpdateRolesRequest

router = APIRouter(prefix=API, tags=["Members"])


@router.get("/organizations/{organization}/members", **documented(MEMBERS))
@router.get("/organizations/{organization}/members/", **documented(MEMBERS), include_in_schema=False)
async def list_members(organization: str, caller: Authenticated) -> Response:
    return await caller.answer_list(MEMBERS, await caller.services.members.list(caller.actor, organization))


@router.post("/organizations/{organization}/members/{user}", **documented(MEMBER))
async def add_member(organization: str, user: str, caller: Authenticated) -> Response:
    return caller.answer(MEMBER, await caller.services.members.add(caller.actor, organization, user))


@router.get("/organizations/{organization}/members/roles", **documented(ASSIGNABLE_ROLES))
async def list_member_roles(organization: str, caller: Authenticated) -> Response:
    """This server has no roles of organizations."""
    await caller.services.organizations.get(organization)
    return caller.answer(ASSIGNABLE_ROLES, [])


@router.put(
    "/organizations/{organization}/members/{user}/roles",
    **documented(MEMBER),
    openapi_extra=expects(UpdateRolesRequest),
)
async def set_member_roles(
    organization: str,
    user: str,
    caller: Authenticated,
    request: Annotated[UpdateRolesRequest, body(UpdateRolesRequest)],
) -> Response:
    changed = await caller.services.members.set_roles(caller.actor, organization, user, request.roles)
    return caller.answer(MEMBER, changed)


@router.delete("/organizations/{organization}/members/{user}", status_code=204)
async def remove_member(organization: str, user: str, caller: Authenticated) -> Response:
    await caller.services.members.remove(caller.actor, organization, user)
    return Response(status_code=204)
