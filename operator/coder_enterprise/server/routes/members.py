"""/organizations/{organization}/members."""

from __future__ import annotations

from fastapi import APIRouter, Response

from coder_enterprise.server.routes.answers import documented
from coder_enterprise.server.routes.dependencies import API, Authenticated
from coder_enterprise.wire.members import MEMBER, MEMBERS

router = APIRouter(prefix=API, tags=["Members"])


@router.get("/organizations/{organization}/members", **documented(MEMBERS))
@router.get("/organizations/{organization}/members/", **documented(MEMBERS), include_in_schema=False)
async def list_members(organization: str, caller: Authenticated) -> Response:
    return await caller.answer_list(MEMBERS, await caller.services.members.list(caller.actor, organization))


@router.post("/organizations/{organization}/members/{user}", **documented(MEMBER))
async def add_member(organization: str, user: str, caller: Authenticated) -> Response:
    return caller.answer(MEMBER, await caller.services.members.add(caller.actor, organization, user))


@router.delete("/organizations/{organization}/members/{user}", status_code=204)
async def remove_member(organization: str, user: str, caller: Authenticated) -> Response:
    await caller.services.members.remove(caller.actor, organization, user)
    return Response(status_code=204)
