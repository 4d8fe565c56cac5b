"""/templates/{template}/acl."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from coder_enterprise.server.routes.answers import documented
from coder_enterprise.server.routes.bodies import body, expects
from coder_enterprise.server.routes.dependencies import API, Authenticated
from coder_enterprise.server.routes.pages import Search, page
from coder_enterprise.server.services.paging import Page
from coder_enterprise.wire.common import RESPONSE
from coder_enterprise.wire.template_acls import (
    ACL_AVAILABLE,
    TEMPLATE_ACL,
    UpdateTemplateACLRequest,
)

router = APIRouter(prefix=API, tags=["Enterprise"])


@router.get("/templates/{template}/acl", **documented(TEMPLATE_ACL), summary="Get template ACLs")
async def get_acl(template: str, caller: Authenticated) -> Response:
    return await caller.answer_list(TEMPLATE_ACL, await caller.services.template_acls.get(caller.actor, template))


@router.patch(
    "/templates/{template}/acl",
    **documented(RESPONSE),
    summary="Update template ACL",
    openapi_extra=expects(UpdateTemplateACLRequest),
)
async def patch_acl(
    template: str, caller: Authenticated, request: Annotated[UpdateTemplateACLRequest, body(UpdateTemplateACLRequest)]
) -> Response:
    updated = await caller.services.template_acls.patch(caller.actor, template, request)
    return caller.answer(RESPONSE, updated)


@router.get(
    "/templates/{template}/acl/available",
    **documented(ACL_AVAILABLE),
    summary="Get template available acl users/groups",
)
async def list_available(
    template: str, caller: Authenticated, which: Annotated[Page, Depends(page)], q: Search = ""
) -> Response:
    found = await caller.services.template_acls.available(caller.actor, template, q, which)
    return await caller.answer_list(ACL_AVAILABLE, found)
