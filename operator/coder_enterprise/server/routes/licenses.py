"""/licenses and /entitlements."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from coder_enterprise.server.routes.answers import answer, documented
from coder_enterprise.server.routes.bodies import body, expects
from coder_enterprise.server.routes.dependencies import API, Authenticated, Public
from coder_enterprise.wire.entitlements import ENTITLEMENTS
from coder_enterprise.wire.licenses import ENTITLEMENTS_REFRESHED, LICENSE_CREATED, LICENSES, AddLicenseRequest

LicenseID = Annotated[str, Path(alias="id", description="License id", json_schema_extra={"format": "number"})]

router = APIRouter(prefix=API, tags=["Enterprise"])


@router.get("/entitlements", **documented(ENTITLEMENTS), summary="Get entitlements")
async def get_entitlements(services: Public) -> Response:
    """Open to everybody, as in Coder."""
    return answer(services.profile, ENTITLEMENTS, services.entitlements.current)


@router.get("/licenses", **documented(LICENSES), summary="Get licenses")
async def list_licenses(caller: Authenticated) -> Response:
    return caller.answer(LICENSES, await caller.services.licenses.list(caller.actor))


@router.post(
    "/licenses", **documented(LICENSE_CREATED), summary="Add new license", openapi_extra=expects(AddLicenseRequest)
)
async def add_license(
    caller: Authenticated, request: Annotated[AddLicenseRequest, body(AddLicenseRequest)]
) -> Response:
    return caller.answer(LICENSE_CREATED, await caller.services.licenses.add(caller.actor, request))


@router.post("/licenses/refresh-entitlements", **documented(ENTITLEMENTS_REFRESHED), summary="Update entitlements")
async def refresh_entitlements(caller: Authenticated) -> Response:
    return caller.answer(ENTITLEMENTS_REFRESHED, await caller.services.licenses.refresh_entitlements(caller.actor))


@router.delete("/licenses/{id}", response_class=Response, summary="Delete license")
async def delete_license(license_id: LicenseID, caller: Authenticated) -> Response:
    await caller.services.licenses.delete(caller.actor, license_id)
    return Response(status_code=200)
