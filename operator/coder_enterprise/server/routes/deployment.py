"""What needs no session: health, the API's root, and the build."""

from __future__ import annotations

from fastapi import APIRouter, Response

from coder_enterprise.server.routes.answers import answer, envelope
from coder_enterprise.server.routes.dependencies import API, Public
from coder_enterprise.server.services.deployment import build_info
from coder_enterprise.wire import common
from coder_enterprise.wire.buildinfo import BuildInfo

router = APIRouter(prefix=API, tags=["General"])
health = APIRouter(tags=["General"])


@health.get("/healthz", response_class=Response)
async def healthz() -> Response:
    return Response("OK", media_type="text/plain")


@router.get("/", response_model=common.Response)
async def root() -> Response:
    return envelope(200, "👋")


@router.get("/buildinfo", response_model=BuildInfo)
async def get_build_info(services: Public) -> Response:
    return answer(build_info(services.access_url))
