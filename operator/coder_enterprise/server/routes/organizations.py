"""/organizations."""

from __future__ import annotations

from fastapi import APIRouter, Response

from coder_enterprise.server.routes.answers import answer, answer_list
from coder_enterprise.server.routes.dependencies import API, Authenticated
from coder_enterprise.wire.organizations import Organization

router = APIRouter(prefix=API, tags=["Organizations"])


@router.get("/organizations", response_model=list[Organization])
async def list_organizations(caller: Authenticated) -> Response:
    return answer_list(await caller.services.organizations.list(), Organization)


@router.get("/organizations/{organization}", response_model=Organization)
async def get_organization(organization: str, caller: Authenticated) -> Response:
    return answer(await caller.services.organizations.get(organization))


@router.get("/users/{user}/organizations", response_model=list[Organization])
async def list_organizations_of_user(user: str, caller: Authenticated) -> Response:
    return answer_list(await caller.services.organizations.of_user(caller.actor, user), Organization)
