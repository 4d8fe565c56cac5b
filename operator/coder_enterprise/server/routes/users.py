"""/users."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from coder_enterprise.server.errors import NotFound
from coder_enterprise.server.routes.answers import answer, envelope
from coder_enterprise.server.routes.bodies import body, documented
from coder_enterprise.server.routes.dependencies import API, Authenticated, Public
from coder_enterprise.server.services.users import Page
from coder_enterprise.wire import common
from coder_enterprise.wire.users import (
    CreateFirstUserRequest,
    CreateFirstUserResponse,
    CreateUserRequest,
    UpdateRolesRequest,
    User,
    UsersResponse,
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
    response_model=CreateFirstUserResponse,
    status_code=201,
    openapi_extra=documented(CreateFirstUserRequest),
)
async def create_first_user(
    services: Public, request: Annotated[CreateFirstUserRequest, body(CreateFirstUserRequest)]
) -> Response:
    return answer(await services.users.create_first(request), 201)


@router.get("/users", response_model=UsersResponse)
async def list_users(
    caller: Authenticated,
    q: Annotated[str, Query(max_length=MAX_QUERY)] = "",
    limit: Annotated[int, Query(ge=0, le=MAX_INT, description="0 is all")] = 0,
    offset: Annotated[int, Query(ge=0, le=MAX_INT)] = 0,
) -> Response:
    return answer(await caller.services.users.list(caller.actor, q, Page(limit or None, offset)))


@router.post("/users", response_model=User, status_code=201, openapi_extra=documented(CreateUserRequest))
async def create_user(
    caller: Authenticated, request: Annotated[CreateUserRequest, body(CreateUserRequest)]
) -> Response:
    return answer(await caller.services.users.create(caller.actor, request), 201)


@router.get("/users/{user}", response_model=User)
async def get_user(user: str, caller: Authenticated) -> Response:
    return answer(await caller.services.users.get(caller.actor, user))


@router.delete("/users/{user}", response_model=common.Response)
async def delete_user(user: str, caller: Authenticated) -> Response:
    await caller.services.users.delete(caller.actor, user)
    return envelope(200, "User has been deleted!")


@router.put("/users/{user}/status/suspend", response_model=User)
async def suspend_user(user: str, caller: Authenticated) -> Response:
    return answer(await caller.services.users.suspend(caller.actor, user))


@router.put("/users/{user}/status/activate", response_model=User)
async def activate_user(user: str, caller: Authenticated) -> Response:
    return answer(await caller.services.users.activate(caller.actor, user))


@router.put("/users/{user}/roles", response_model=User, openapi_extra=documented(UpdateRolesRequest))
async def set_roles(
    user: str, caller: Authenticated, request: Annotated[UpdateRolesRequest, body(UpdateRolesRequest)]
) -> Response:
    return answer(await caller.services.users.set_roles(caller.actor, user, request.roles))
