"""/organizations."""

from __future__ import annotations

from fastapi import APIRouter, Response

from coder_enterprise.server.routes.answers import documented
from coder_enterprise.server.routes.dependencies import API, Authenticated
from coder_enterprise.wire.organizations import ORGANIZATION, ORGANIZATIONS

router = APIRouter(prefix=API, tags=["Organizations"])


@router.get("/organizations", **documented(ORGANIZATIONS))
async def list_organizations(caller: Authenticated) -> Response:
    return caller.answer(ORGANIZATIONS, await caller.services.organizations.list())


@router.get("/organizations/{organization}", **documented(ORGANIZATION))
async def get_organization(organization: str, caller: Authenticated) -> Response:
    return caller.answer(ORGANIZATION, await caller.services.organizations.get(organization))


@router.get("/users/{user}/organizations/{organization}", **documented(ORGANIZATION))
async def get_organization_of_user(user: str, organization: str, caller: Authenticated) -> Response:
    return caller.answer(
        ORGANIZATION, await caller.services.organizations.one_of_user(caller.actor, user, organization)
    )


@router.get("/users/{user}/organizations", **documented(ORGANIZATIONS))
async def list_organizations_of_user(user: str, caller: Authenticated) -> Response:
    return caller.answer(ORGANIZATIONS, await caller.services.organizations.of_user(caller.actor, user))
