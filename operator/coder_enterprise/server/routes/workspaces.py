"""/workspaces, /workspacebuilds, and what they cost: /workspace-quota."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response, WebSocket

from coder_enterprise.server.routes.answers import documented
from coder_enterprise.server.routes.bodies import body, expects
from coder_enterprise.server.routes.dependencies import API, Authenticated
from coder_enterprise.server.routes.following import MAX_ID, NOT_FOLLOWED, LogSpan, send_lines
from coder_enterprise.server.routes.pages import page
from coder_enterprise.server.services.paging import Page
from coder_enterprise.wire.common import RESPONSE
from coder_enterprise.wire.provisioner_jobs import LOGS
from coder_enterprise.wire.workspaces import (
    BUILD,
    BUILD_CREATED,
    BUILD_PARAMETERS,
    BUILDS,
    QUOTA,
    WORKSPACE,
    WORKSPACE_CREATED,
    WORKSPACES,
    CreateWorkspaceBuildRequest,
    CreateWorkspaceRequest,
    UpdateAutostartRequest,
    UpdateDormancyRequest,
    UpdateTTLRequest,
)

router = APIRouter(prefix=API, tags=["Workspaces"])
quota = APIRouter(prefix=API, tags=["Enterprise"])

DeletedToo = Annotated[bool, Query(description="Also one that was deleted")]


@router.get("/workspaces", **documented(WORKSPACES))
async def list_workspaces(
    caller: Authenticated, which: Annotated[Page, Depends(page)], q: Annotated[str, Query(max_length=1000)] = ""
) -> Response:
    return await caller.answer_list(WORKSPACES, await caller.services.workspaces.list(caller.actor, q, which))


@router.post(
    "/organizations/{organization}/members/{user}/workspaces",
    **documented(WORKSPACE_CREATED),
    openapi_extra=expects(CreateWorkspaceRequest),
)
async def create_workspace(
    organization: str,
    user: str,
    caller: Authenticated,
    request: Annotated[CreateWorkspaceRequest, body(CreateWorkspaceRequest)],
) -> Response:
    created = await caller.services.workspaces.create(caller.actor, organization, user, request)
    return caller.answer(WORKSPACE_CREATED, created)


@router.post("/users/{user}/workspaces", **documented(WORKSPACE_CREATED), openapi_extra=expects(CreateWorkspaceRequest))
async def create_workspace_of_user(
    user: str, caller: Authenticated, request: Annotated[CreateWorkspaceRequest, body(CreateWorkspaceRequest)]
) -> Response:
    created = await caller.services.workspaces.create(caller.actor, None, user, request)
    return caller.answer(WORKSPACE_CREATED, created)


@router.get("/users/{user}/workspace/{name}", **documented(WORKSPACE))
async def get_workspace_by_name(
    user: str,
    name: str,
    caller: Authenticated,
    include_deleted: DeletedToo = False,
) -> Response:
    found = await caller.services.workspaces.by_name(caller.actor, user, name, deleted=include_deleted)
    return caller.answer(WORKSPACE, found)


@router.get("/users/{user}/workspace/{name}/builds/{number}", **documented(BUILD))
async def get_build_by_number(
    user: str, name: str, number: Annotated[int, Path(ge=1, le=MAX_ID)], caller: Authenticated
) -> Response:
    return caller.answer(BUILD, await caller.services.workspace_builds.by_number(caller.actor, user, name, number))


@router.get("/workspaces/{workspace}/builds", **documented(BUILDS))
async def list_builds(workspace: str, caller: Authenticated, which: Annotated[Page, Depends(page)]) -> Response:
    found = await caller.services.workspace_builds.of_workspace(caller.actor, workspace, which)
    return await caller.answer_list(BUILDS, found)


@router.get("/workspaces/{workspace}", **documented(WORKSPACE, responses={410: {}}))
async def get_workspace(workspace: str, caller: Authenticated, include_deleted: DeletedToo = False) -> Response:
    found = await caller.services.workspaces.get(caller.actor, workspace, deleted=include_deleted)
    return caller.answer(WORKSPACE, found)


@router.post(
    "/workspaces/{workspace}/builds",
    **documented(BUILD_CREATED),
    openapi_extra=expects(CreateWorkspaceBuildRequest),
)
async def create_build(
    workspace: str,
    caller: Authenticated,
    request: Annotated[CreateWorkspaceBuildRequest, body(CreateWorkspaceBuildRequest)],
) -> Response:
    created = await caller.services.workspace_builds.create(caller.actor, workspace, request)
    return caller.answer(BUILD_CREATED, created)


@router.put("/workspaces/{workspace}/autostart", status_code=204, openapi_extra=expects(UpdateAutostartRequest))
async def set_autostart(
    workspace: str, caller: Authenticated, request: Annotated[UpdateAutostartRequest, body(UpdateAutostartRequest)]
) -> Response:
    await caller.services.workspace_schedules.set_autostart(caller.actor, workspace, request.schedule)
    return Response(status_code=204)


@router.put("/workspaces/{workspace}/ttl", status_code=204, openapi_extra=expects(UpdateTTLRequest))
async def set_ttl(
    workspace: str, caller: Authenticated, request: Annotated[UpdateTTLRequest, body(UpdateTTLRequest)]
) -> Response:
    await caller.services.workspace_schedules.set_ttl(caller.actor, workspace, request.ttl_ms)
    return Response(status_code=204)


@router.put(
    "/workspaces/{workspace}/dormant",
    **documented(WORKSPACE, responses={304: {"description": "It is so already"}}),
    openapi_extra=expects(UpdateDormancyRequest),
)
async def set_dormant(
    workspace: str, caller: Authenticated, request: Annotated[UpdateDormancyRequest, body(UpdateDormancyRequest)]
) -> Response:
    changed = await caller.services.workspace_schedules.set_dormant(caller.actor, workspace, dormant=request.dormant)
    return Response(status_code=304) if changed is None else caller.answer(WORKSPACE, changed)


@router.get("/workspacebuilds/{build}", **documented(BUILD))
async def get_build(build: str, caller: Authenticated) -> Response:
    return caller.answer(BUILD, await caller.services.workspace_builds.get(caller.actor, build))


@router.get("/workspacebuilds/{build}/parameters", **documented(BUILD_PARAMETERS))
async def list_build_parameters(build: str, caller: Authenticated) -> Response:
    return caller.answer(BUILD_PARAMETERS, await caller.services.workspace_builds.parameters(caller.actor, build))


@router.get("/workspacebuilds/{build}/logs", **documented(LOGS, responses={426: {}}), dependencies=[NOT_FOLLOWED])
async def get_build_logs(build: str, caller: Authenticated, span: LogSpan) -> Response:
    return caller.answer(LOGS, await caller.services.workspace_builds.logs(caller.actor, build, span))


@router.websocket("/workspacebuilds/{build}/logs")
async def follow_build_logs(build: str, caller: Authenticated, span: LogSpan, websocket: WebSocket) -> None:
    await send_lines(websocket, caller, caller.services.workspace_builds.follow(caller.actor, build, span))


@router.patch("/workspacebuilds/{build}/cancel", **documented(RESPONSE, responses={412: {}}))
async def cancel_build(
    build: str,
    caller: Authenticated,
    expect_status: Annotated[str, Query(description="Only while it is `pending`, or `running`")] = "",
) -> Response:
    await caller.services.workspace_builds.cancel(caller.actor, build, expect_status)
    return caller.done("Job has been marked as canceled...")


@quota.get("/workspace-quota/{user}", **documented(QUOTA), summary="Get workspace quota by user")
async def get_quota(user: str, caller: Authenticated) -> Response:
    return caller.answer(QUOTA, await caller.services.workspace_quotas.get(caller.actor, user))


@quota.get("/organizations/{organization}/members/{user}/workspace-quota", **documented(QUOTA))
async def get_quota_of_member(organization: str, user: str, caller: Authenticated) -> Response:
    return caller.answer(QUOTA, await caller.services.workspace_quotas.get(caller.actor, user, organization))
