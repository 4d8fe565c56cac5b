"""/users."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from coder_enterprise.server.errors import NotFound
from coder_enterprise.server.routes.answers import documented, envelope
from coder_enterprise.server.routes.bodies import body, expects
from coder_enterprise.server.routes.dependencies import API, Authenticated, Public
from coder_enterprise.server.services.users import Page
from coder_enterprise.wire import common
from coder_enterprise.wire.users import (
    FIRST_USER_CREATED,
    USER,
    USER_CREATED,
    USERS,
    CreateFirstUserRequest,
    CreateUserRequest,
    UpdateRolesRequest,
)

router = APIRouter(prefix=API, tags=["Users"])

MAX_INT: Final = 2**31 - 1
MAX_QUERY: Final = 1000
"""Characters."""


@router.get("/users/first", response_model=common.Response)
async def has_first_user(services: Public) -> Response:
    if not await services.users.has_first():
        raise NotFound("The initial user has not been created!")
    return envelope(200, "The initial user has already been created!")


@router.post(
    "/users/first",
    **documented(FIRST_USER_CREATED),
    openapi_extra=expects(CreateFirstUserRequest),
)
async def create_first_user(
    services: Public, request: Annotated[CreateFirstUserRequest, body(CreateFirstUserRequest)]
) -> Response:
    return services.answer(FIRST_USER_CREATED, await services.users.create_first(request))


@router.get("/users", **documented(USERS))
async def list_users(
    caller: Authenticated,
    q: Annotated[str, Query(max_length=MAX_QUERY)] = "",
    limit: Annotated[int, Query(ge=0, le=MAX_INT, description="0 is all")] = 0,
    offset: Annotated[int, Query(ge=0, le=MAX_INT)] = 0,
) -> Response:
    return caller.answer(USERS, await caller.services.users.list(caller.actor, q, Page(limit or None, offset)))


@router.post("/users", **documented(USER_CREATED), openapi_extra=expects(CreateUserRequest))
async def create_user(
    caller: Authenticated, request: Annotated[CreateUserRequest, body(CreateUserRequest)]
) -> Response:
    return caller.answer(USER_CREATED, await caller.services.users.create(caller.actor, request))


@router.get("/users/{user}", **documented(USER))
async def get_user(user: str, caller: Authenticated) -> Response:
    return caller.answer(USER, await caller.services.users.get(caller.actor, user))


@router.delete("/users/{user}", response_model=common.Response)
async def delete_user(user: str, caller: Authenticated) -> Response:
    await caller.services.users.delete(caller.actor, user)
    return envelope(200, "User has been deleted!")


@router.put("/users/{user}/status/suspend", **documented(USER))
async def suspend_user(user: str, caller: Authenticated) -> Response:
    return caller.answer(USER, await caller.services.users.suspend(caller.actor, user))


@router.put("/users/{user}/status/activate", **documented(USER))
async def activate_user(user: str, caller: Authenticated) -> Response:
    return caller.answer(USER, await caller.services.users.activate(caller.actor, user))


@router.put("/users/{user}/roles", **documented(USER), openapi_extra=expects(UpdateRolesRequest))
async def set_roles(
    user: str, caller: Authenticated, request: Annotated[UpdateRolesRequest, body(UpdateRolesRequest)]
) -> Response:
    return caller.answer(USER, await caller.services.users.set_roles(caller.actor, user, request.roles))
