"""/groups and /organizations/{organization}/groups."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from coder_enterprise.server.errors import BadRequest
from coder_enterprise.server.routes.answers import documented
from coder_enterprise.server.routes.bodies import body, expects
from coder_enterprise.server.routes.dependencies import API, SESSION_TOKEN, Authenticated
from coder_enterprise.server.routes.pages import MAX_SEARCH
from coder_enterprise.server.services.groups import Which
from coder_enterprise.wire.groups import (
    GROUP,
    GROUP_CREATED,
    GROUP_DELETED,
    GROUPS,
    CreateGroupRequest,
    PatchGroupRequest,
)

router = APIRouter(prefix=API, tags=["Enterprise"])


_FILTERS: Final = frozenset(Which._fields)


async def _which(
    request: Request,
    organization: Annotated[str, Query(description="Id or name")] = "",
    has_member: Annotated[str, Query(description="User id or name, or `me`")] = "",
    group_ids: Annotated[str, Query(max_length=MAX_SEARCH, description="Ids, with commas")] = "",
) -> Which:
    """Raises `BadRequest` for a filter that there is not: it would hide nothing."""
    unknown = sorted(set(request.query_params) - _FILTERS - {SESSION_TOKEN})
    if unknown:
        raise BadRequest("Query parameters have invalid values.", validations=dict.fromkeys(unknown, "is not known"))
    return Which(organization, has_member, group_ids)


@router.get("/groups", **documented(GROUPS), summary="Get groups")
async def find_groups(caller: Authenticated, which: Annotated[Which, Depends(_which)]) -> Response:
    return await caller.answer_list(GROUPS, await caller.services.groups.find(caller.actor, which))


@router.get("/groups/{group}", **documented(GROUP), summary="Get group by ID")
async def get_group(group: str, caller: Authenticated) -> Response:
    return caller.answer(GROUP, await caller.services.groups.get(caller.actor, group))


@router.patch(
    "/groups/{group}",
    **documented(GROUP),
    summary="Update group by name",
    openapi_extra=expects(PatchGroupRequest),
)
async def patch_group(
    group: str, caller: Authenticated, request: Annotated[PatchGroupRequest, body(PatchGroupRequest)]
) -> Response:
    return caller.answer(GROUP, await caller.services.groups.patch(caller.actor, group, request))


@router.delete("/groups/{group}", **documented(GROUP_DELETED), summary="Delete group by name")
async def delete_group(group: str, caller: Authenticated) -> Response:
    return caller.answer(GROUP_DELETED, await caller.services.groups.delete(caller.actor, group))


@router.get("/organizations/{organization}/groups", **documented(GROUPS), summary="Get groups by organization")
async def list_groups(organization: str, caller: Authenticated) -> Response:
    return await caller.answer_list(GROUPS, await caller.services.groups.list(caller.actor, organization))


@router.post(
    "/organizations/{organization}/groups",
    **documented(GROUP_CREATED),
    summary="Create group for organization",
    openapi_extra=expects(CreateGroupRequest),
)
async def create_group(
    organization: str,
    caller: Authenticated,
    request: Annotated[CreateGroupRequest, body(CreateGroupRequest)],
) -> Response:
    return caller.answer(GROUP_CREATED, await caller.services.groups.create(caller.actor, organization, request))


@router.get(
    "/organizations/{organization}/groups/{groupName}",
    **documented(GROUP),
    summary="Get group by organization and group name",
)
async def get_group_by_name(
    organization: str, name: Annotated[str, Path(alias="groupName")], caller: Authenticated
) -> Response:
    return caller.answer(GROUP, await caller.services.groups.by_name(caller.actor, organization, name))
