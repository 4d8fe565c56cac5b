"""/replicas, and what the replicas ask each other."""

from __future__ import annotations

from fastapi import APIRouter, Response

from coder_enterprise.server.routes.answers import documented
from coder_enterprise.server.routes.dependencies import API, Authenticated
from coder_enterprise.wire.replicas import REPLICAS

router = APIRouter(prefix=API, tags=["Enterprise"])
peers = APIRouter(tags=["General"])


@router.get("/replicas", **documented(REPLICAS), summary="Get active replicas")
async def list_replicas(caller: Authenticated) -> Response:
    return caller.answer(REPLICAS, await caller.services.replicas.list(caller.actor))


@peers.get("/latency-check", response_class=Response)
@peers.get("/derp/latency-check", response_class=Response)
async def latency_check() -> Response:
    return Response(headers={"Cache-Control": "no-store"})
