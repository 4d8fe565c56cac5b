"""/groups and /organizations/{organization}/groups."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response

from coder_enterprise.server.routes.answers import answer, answer_list
from coder_enterprise.server.routes.bodies import body, documented
from coder_enterprise.server.routes.dependencies import All, Caller
from coder_enterprise.wire.groups import CreateGroupRequest, Group, PatchGroupRequest

router = APIRouter(tags=["Enterprise"])


@router.get("/groups/{group}", response_model=Group, summary="Get group by ID")
async def get_group(group: str, caller: Caller, services: All) -> Response:
    return answer(await services.groups.get(caller, group))


@router.patch(
    "/groups/{group}",
    response_model=Group,
    summary="Update group by name",
    openapi_extra=documented(PatchGroupRequest),
)
async def patch_group(
    group: str, caller: Caller, services: All, request: Annotated[PatchGroupRequest, body(PatchGroupRequest)]
) -> Response:
    return answer(await services.groups.patch(caller, group, request))


@router.delete("/groups/{group}", response_model=Group, summary="Delete group by name")
async def delete_group(group: str, caller: Caller, services: All) -> Response:
    return answer(await services.groups.delete(caller, group))


@router.get("/organizations/{organization}/groups", response_model=list[Group], summary="Get groups by organization")
async def list_groups(organization: str, caller: Caller, services: All) -> Response:
    return answer_list(await services.groups.list(caller, organization), Group)


@router.post(
    "/organizations/{organization}/groups",
    response_model=Group,
    status_code=201,
    summary="Create group for organization",
    openapi_extra=documented(CreateGroupRequest),
)
async def create_group(
    organization: str,
    caller: Caller,
    services: All,
    request: Annotated[CreateGroupRequest, body(CreateGroupRequest)],
) -> Response:
    return answer(await services.groups.create(caller, organization, request), 201)


@router.get(
    "/organizations/{organization}/groups/{name}",
    response_model=Group,
    summary="Get group by organization and group name",
)
async def get_group_by_name(organization: str, name: str, caller: Caller, services: All) -> Response:
    return answer(await services.groups.by_name(caller, organization, name))
