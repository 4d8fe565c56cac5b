"""/groups and /organizations/{organization}/groups."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response

from coder_enterprise.server.routes.answers import answer, answer_list
from coder_enterprise.server.routes.bodies import body, documented
from coder_enterprise.server.routes.dependencies import API, Authenticated
from coder_enterprise.wire.groups import CreateGroupRequest, Group, PatchGroupRequest

router = APIRouter(prefix=API, tags=["Enterprise"])


@router.get("/groups/{group}", response_model=Group, summary="Get group by ID")
async def get_group(group: str, caller: Authenticated) -> Response:
    return answer(await caller.services.groups.get(caller.actor, group))


@router.patch(
    "/groups/{group}",
    response_model=Group,
    summary="Update group by name",
    openapi_extra=documented(PatchGroupRequest),
)
async def patch_group(
    group: str, caller: Authenticated, request: Annotated[PatchGroupRequest, body(PatchGroupRequest)]
) -> Response:
    return answer(await caller.services.groups.patch(caller.actor, group, request))


@router.delete("/groups/{group}", response_model=Group, summary="Delete group by name")
async def delete_group(group: str, caller: Authenticated) -> Response:
    return answer(await caller.services.groups.delete(caller.actor, group))


@router.get("/organizations/{organization}/groups", response_model=list[Group], summary="Get groups by organization")
async def list_groups(organization: str, caller: Authenticated) -> Response:
    return answer_list(await caller.services.groups.list(caller.actor, organization), Group)


@router.post(
    "/organizations/{organization}/groups",
    response_model=Group,
    status_code=201,
    summary="Create group for organization",
    openapi_extra=documented(CreateGroupRequest),
)
async def create_group(
    organization: str,
    caller: Authenticated,
    request: Annotated[CreateGroupRequest, body(CreateGroupRequest)],
) -> Response:
    return answer(await caller.services.groups.create(caller.actor, organization, request), 201)


@router.get(
    "/organizations/{organization}/groups/{name}",
    response_model=Group,
    summary="Get group by organization and group name",
)
async def get_group_by_name(organization: str, name: str, caller: Authenticated) -> Response:
    return answer(await caller.services.groups.by_name(caller.actor, organization, name))
