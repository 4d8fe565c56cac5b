"""/organizations."""

from __future__ import annotations

from fastapi import APIRouter, Response

from coder_enterprise.server.routes.answers import answer, answer_list
from coder_enterprise.server.routes.dependencies import All, Caller
from coder_enterprise.wire.organizations import Organization

router = APIRouter(tags=["Organizations"])


@router.get("/organizations", response_model=list[Organization])
async def list_organizations(_: Caller, services: All) -> Response:
    return answer_list(await services.organizations.list(), Organization)


@router.get("/organizations/{organization}", response_model=Organization)
async def get_organization(organization: str, _: Caller, services: All) -> Response:
    return answer(await services.organizations.get(organization))


@router.get("/users/{user}/organizations", response_model=list[Organization])
async def list_organizations_of_user(user: str, caller: Caller, services: All) -> Response:
    return answer_list(await services.organizations.of_user(caller, user), Organization)
