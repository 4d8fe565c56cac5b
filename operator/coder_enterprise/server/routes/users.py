"""/users."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from coder_enterprise.server.errors import NotFound
from coder_enterprise.server.routes.answers import answer, documented, done
from coder_enterprise.server.routes.bodies import MAX_FROM_ANYBODY, body, expects
from coder_enterprise.server.routes.dependencies import API, Authenticated, Public
from coder_enterprise.server.routes.pages import Search, page
from coder_enterprise.server.services.paging import Page
from coder_enterprise.wire.common import RESPONSE
from coder_enterprise.wire.users import (
    ASSIGNABLE_ROLES,
    FIRST_USER_CREATED,
    USER,
    USER_CREATED,
    USER_ROLES,
    USERS,
    CreateFirstUserRequest,
    CreateUserRequest,
    UpdatePasswordRequest,
    UpdateProfileRequest,
    UpdateRolesRequest,
)

router = APIRouter(prefix=API, tags=["Users"])


@router.get("/users/first", **documented(RESPONSE, responses={404: {}}))
async def has_first_user(services: Public) -> Response:
    if not await services.first_users.exists():
        raise NotFound("The initial user has not been created!")
    return done(services.profile, "The initial user has already been created!")


@router.post(
    "/users/first",
    **documented(FIRST_USER_CREATED),
    openapi_extra=expects(CreateFirstUserRequest),
)
async def create_first_user(
    services: Public,
    request: Annotated[CreateFirstUserRequest, body(CreateFirstUserRequest, MAX_FROM_ANYBODY)],
) -> Response:
    return answer(services.profile, FIRST_USER_CREATED, await services.first_users.create(request))


@router.get("/users", **documented(USERS))
async def list_users(caller: Authenticated, which: Annotated[Page, Depends(page)], q: Search = "") -> Response:
    return await caller.answer_list(USERS, await caller.services.users.list(caller.actor, q, which))


@router.post("/users", **documented(USER_CREATED, responses={404: {}}), openapi_extra=expects(CreateUserRequest))
async def create_user(
    caller: Authenticated, request: Annotated[CreateUserRequest, body(CreateUserRequest)]
) -> Response:
    return caller.answer(USER_CREATED, await caller.services.users.create(caller.actor, request))


@router.get("/users/roles", **documented(ASSIGNABLE_ROLES))
async def list_roles(caller: Authenticated) -> Response:
    return caller.answer(ASSIGNABLE_ROLES, caller.services.users.assignable_roles(caller.actor))


@router.get("/users/{user}", **documented(USER))
async def get_user(user: str, caller: Authenticated) -> Response:
    return caller.answer(USER, await caller.services.users.get(caller.actor, user))


@router.delete("/users/{user}", **documented(RESPONSE))
async def delete_user(user: str, caller: Authenticated) -> Response:
    await caller.services.users.delete(caller.actor, user)
    return caller.done("User has been deleted!")


@router.put("/users/{user}/status/suspend", **documented(USER))
async def suspend_user(user: str, caller: Authenticated) -> Response:
    return caller.answer(USER, await caller.services.users.suspend(caller.actor, user))


@router.put("/users/{user}/status/activate", **documented(USER))
async def activate_user(user: str, caller: Authenticated) -> Response:
    return caller.answer(USER, await caller.services.users.activate(caller.actor, user))


@router.put("/users/{user}/profile", **documented(USER), openapi_extra=expects(UpdateProfileRequest))
async def set_profile(
    user: str, caller: Authenticated, request: Annotated[UpdateProfileRequest, body(UpdateProfileRequest)]
) -> Response:
    return caller.answer(USER, await caller.services.users.set_profile(caller.actor, user, request))


@router.put("/users/{user}/password", status_code=204, openapi_extra=expects(UpdatePasswordRequest))
async def set_password(
    user: str, caller: Authenticated, request: Annotated[UpdatePasswordRequest, body(UpdatePasswordRequest)]
) -> Response:
    await caller.services.user_passwords.set(caller.actor, user, request)
    return Response(status_code=204)


@router.get("/users/{user}/roles", **documented(USER_ROLES))
async def get_roles(user: str, caller: Authenticated) -> Response:
    return caller.answer(USER_ROLES, await caller.services.users.roles(caller.actor, user))


@router.put("/users/{user}/roles", **documented(USER), openapi_extra=expects(UpdateRolesRequest))
async def set_roles(
    user: str, caller: Authenticated, request: Annotated[UpdateRolesRequest, body(UpdateRolesRequest)]
) -> Response:
    return caller.answer(USER, await caller.services.users.set_roles(caller.actor, user, request.roles))
