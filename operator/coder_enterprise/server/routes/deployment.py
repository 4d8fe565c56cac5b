"""What needs no session: health, the API's root, and the build."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from coder_enterprise.server.routes.answers import answer, documented, done
from coder_enterprise.server.routes.dependencies import API, Public
from coder_enterprise.wire.buildinfo import BUILD_INFO
from coder_enterprise.wire.common import RESPONSE

router = APIRouter(prefix=API, tags=["General"])
health = APIRouter(tags=["General"])


@health.get("/healthz", response_class=PlainTextResponse)
async def healthz() -> Response:
    """Whether the process is alive: starting it anew would repair nothing that it depends on."""
    return PlainTextResponse("OK")


@health.get("/readyz", response_class=PlainTextResponse)
async def readyz(services: Public) -> Response:
    """Whether requests should be sent here."""
    problem = await services.readiness.problem()
    return PlainTextResponse(problem or "OK", status_code=503 if problem else 200)


@router.get("/", **documented(RESPONSE))
async def root(services: Public) -> Response:
    return done(services.profile, "👋")


@router.get("/buildinfo", **documented(BUILD_INFO))
async def get_build_info(services: Public) -> Response:
    return answer(services.profile, BUILD_INFO, services.deployment.build_info())
