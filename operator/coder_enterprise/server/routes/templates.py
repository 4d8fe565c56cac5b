"""/templates and /organizations/{organization}/templates."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response

from coder_enterprise.server.routes.answers import documented
from coder_enterprise.server.routes.bodies import body, expects
from coder_enterprise.server.routes.dependencies import API, Authenticated
from coder_enterprise.server.routes.pages import Search
from coder_enterprise.wire.common import RESPONSE
from coder_enterprise.wire.templates import (
    EXAMPLES,
    TEMPLATE,
    TEMPLATE_CREATED,
    TEMPLATES,
    CreateTemplateRequest,
    PatchTemplateRequest,
    SDKPatchTemplateRequest,
)

router = APIRouter(prefix=API, tags=["Templates"])


@router.get("/templates/examples", **documented(EXAMPLES))
async def list_examples(caller: Authenticated) -> Response:
    """This server brings none."""
    return caller.answer(EXAMPLES, [])


@router.get("/templates", **documented(TEMPLATES))
async def find_templates(caller: Authenticated, q: Search = "") -> Response:
    return await caller.answer_list(TEMPLATES, await caller.services.templates.find(caller.actor, q))


@router.get("/templates/{template}", **documented(TEMPLATE))
async def get_template(template: str, caller: Authenticated) -> Response:
    return caller.answer(TEMPLATE, await caller.services.templates.get(caller.actor, template))


@router.patch("/templates/{template}", **documented(TEMPLATE), openapi_extra=expects(PatchTemplateRequest))
async def patch_template(
    template: str,
    caller: Authenticated,
    request: Annotated[PatchTemplateRequest, body(PatchTemplateRequest, codersdk=SDKPatchTemplateRequest)],
) -> Response:
    return caller.answer(TEMPLATE, await caller.services.templates.patch(caller.actor, template, request))


@router.delete("/templates/{template}", **documented(RESPONSE))
async def delete_template(template: str, caller: Authenticated) -> Response:
    await caller.services.templates.delete(caller.actor, template)
    return caller.done("Template has been deleted!")


@router.get("/organizations/{organization}/templates", **documented(TEMPLATES))
async def list_templates(organization: str, caller: Authenticated) -> Response:
    return await caller.answer_list(TEMPLATES, await caller.services.templates.list(caller.actor, organization))


@router.post(
    "/organizations/{organization}/templates",
    **documented(TEMPLATE_CREATED),
    openapi_extra=expects(CreateTemplateRequest),
)
async def create_template(
    organization: str,
    caller: Authenticated,
    request: Annotated[CreateTemplateRequest, body(CreateTemplateRequest)],
) -> Response:
    created = await caller.services.templates.create(caller.actor, organization, request)
    return caller.answer(TEMPLATE_CREATED, created)


@router.get("/organizations/{organization}/templates/{name}", **documented(TEMPLATE))
async def get_template_by_name(organization: str, name: str, caller: Authenticated) -> Response:
    return caller.answer(TEMPLATE, await caller.services.templates.by_name(caller.actor, organization, name))
