"""/templateversions, and the versions of templates and organizations."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response, WebSocket

from coder_enterprise.server.routes.answers import documented
from coder_enterprise.server.routes.bodies import body, expects
from coder_enterprise.server.routes.dependencies import API, Authenticated
from coder_enterprise.server.routes.following import NOT_FOLLOWED, LogSpan, send_lines
from coder_enterprise.server.routes.pages import page
from coder_enterprise.server.services.paging import Page
from coder_enterprise.wire.common import RESPONSE
from coder_enterprise.wire.provisioner_jobs import LOGS
from coder_enterprise.wire.template_versions import (
    EXTERNAL_AUTH,
    PARAMETERS,
    PRESETS,
    TEMPLATE_VERSION,
    TEMPLATE_VERSION_CREATED,
    TEMPLATE_VERSIONS,
    VARIABLES,
    CreateTemplateVersionRequest,
    PatchTemplateVersionRequest,
    UpdateActiveTemplateVersionRequest,
)
from coder_enterprise.wire.workspace_resources import RESOURCES

router = APIRouter(prefix=API, tags=["Templates"])


@router.post(
    "/organizations/{organization}/templateversions",
    **documented(TEMPLATE_VERSION_CREATED),
    openapi_extra=expects(CreateTemplateVersionRequest),
)
async def create_version(
    organization: str,
    caller: Authenticated,
    request: Annotated[CreateTemplateVersionRequest, body(CreateTemplateVersionRequest)],
) -> Response:
    created = await caller.services.template_versions.create(caller.actor, organization, request)
    return caller.answer(TEMPLATE_VERSION_CREATED, created)


@router.get("/templates/{template}/versions", **documented(TEMPLATE_VERSIONS))
async def list_versions(template: str, caller: Authenticated, which: Annotated[Page, Depends(page)]) -> Response:
    found = await caller.services.template_versions.of_template(caller.actor, template, which)
    return caller.answer(TEMPLATE_VERSIONS, found)


@router.patch(
    "/templates/{template}/versions",
    **documented(RESPONSE),
    openapi_extra=expects(UpdateActiveTemplateVersionRequest),
)
async def activate_version(
    template: str,
    caller: Authenticated,
    request: Annotated[UpdateActiveTemplateVersionRequest, body(UpdateActiveTemplateVersionRequest)],
) -> Response:
    await caller.services.template_versions.activate(caller.actor, template, request.id)
    return caller.done("Updated the active template version!")


@router.get("/templateversions/{version}", **documented(TEMPLATE_VERSION))
async def get_version(version: str, caller: Authenticated) -> Response:
    return caller.answer(TEMPLATE_VERSION, await caller.services.template_versions.get(caller.actor, version))


@router.get("/templateversions/{version}/logs", **documented(LOGS, responses={426: {}}), dependencies=[NOT_FOLLOWED])
async def get_version_logs(version: str, caller: Authenticated, span: LogSpan) -> Response:
    return caller.answer(LOGS, await caller.services.template_versions.logs(caller.actor, version, span))


@router.websocket("/templateversions/{version}/logs")
async def follow_version_logs(version: str, caller: Authenticated, span: LogSpan, websocket: WebSocket) -> None:
    await send_lines(websocket, caller, caller.services.template_versions.follow(caller.actor, version, span))


@router.patch(
    "/templateversions/{version}",
    **documented(TEMPLATE_VERSION),
    openapi_extra=expects(PatchTemplateVersionRequest),
)
async def patch_version(
    version: str,
    caller: Authenticated,
    request: Annotated[PatchTemplateVersionRequest, body(PatchTemplateVersionRequest)],
) -> Response:
    return caller.answer(
        TEMPLATE_VERSION, await caller.services.template_versions.patch(caller.actor, version, request)
    )


@router.get("/templates/{template}/versions/{name}", **documented(TEMPLATE_VERSION))
async def get_version_by_name(template: str, name: str, caller: Authenticated) -> Response:
    found = await caller.services.template_versions.by_name(caller.actor, template, name)
    return caller.answer(TEMPLATE_VERSION, found)


@router.get("/organizations/{organization}/templates/{template}/versions/{name}", **documented(TEMPLATE_VERSION))
async def get_version_by_names(organization: str, template: str, name: str, caller: Authenticated) -> Response:
    found = await caller.services.template_versions.by_names(caller.actor, organization, template, name)
    return caller.answer(TEMPLATE_VERSION, found)


@router.get(
    "/organizations/{organization}/templates/{template}/versions/{name}/previous", **documented(TEMPLATE_VERSION)
)
async def get_previous_version(organization: str, template: str, name: str, caller: Authenticated) -> Response:
    found = await caller.services.template_versions.by_names(caller.actor, organization, template, name, previous=True)
    return caller.answer(TEMPLATE_VERSION, found)


@router.get("/templateversions/{version}/rich-parameters", **documented(PARAMETERS))
async def list_parameters(version: str, caller: Authenticated) -> Response:
    return caller.answer(PARAMETERS, await caller.services.template_versions.parameters(caller.actor, version))


@router.get("/templateversions/{version}/variables", **documented(VARIABLES, responses={412: {}}))
async def list_variables(version: str, caller: Authenticated) -> Response:
    return caller.answer(VARIABLES, await caller.services.template_versions.variables(caller.actor, version))


@router.get("/templateversions/{version}/presets", **documented(PRESETS))
async def list_presets(version: str, caller: Authenticated) -> Response:
    return caller.answer(PRESETS, await caller.services.template_versions.presets(caller.actor, version))


@router.get("/templateversions/{version}/external-auth", **documented(EXTERNAL_AUTH))
async def list_external_auth(version: str, caller: Authenticated) -> Response:
    """None: Coder's command line asks before it makes a workspace."""
    await caller.services.template_versions.require(caller.actor, version)
    return caller.answer(EXTERNAL_AUTH, [])


@router.get("/templateversions/{version}/resources", **documented(RESOURCES))
async def get_version_resources(version: str, caller: Authenticated) -> Response:
    return caller.answer(RESOURCES, await caller.services.template_versions.resources(caller.actor, version))


@router.patch("/templateversions/{version}/cancel", **documented(RESPONSE))
async def cancel_version(version: str, caller: Authenticated) -> Response:
    await caller.services.template_versions.cancel(caller.actor, version)
    return caller.done("Job has been marked as canceled...")
