"""What the server says of itself: experiments and hosts that it has not, and how many workspaces do what."""

from __future__ import annotations

from fastapi import APIRouter, Response

from coder_enterprise.server.routes.answers import documented
from coder_enterprise.server.routes.dependencies import API, Authenticated, Public
from coder_enterprise.wire.buildinfo import VERSION
from coder_enterprise.wire.deployment import (
    APP_HOST,
    DEPLOYMENT_STATS,
    EXPERIMENTS,
    SSH_CONFIG,
    UPDATE_CHECK,
    AppHost,
    SSHConfig,
    UpdateCheck,
)

router = APIRouter(prefix=API, tags=["General"])


@router.get("/updatecheck", **documented(UPDATE_CHECK))
async def check_for_updates(services: Public) -> Response:
    return services.answer(UPDATE_CHECK, UpdateCheck(version=VERSION))


@router.get("/experiments", **documented(EXPERIMENTS))
async def list_experiments(caller: Authenticated) -> Response:
    return caller.answer(EXPERIMENTS, [])


@router.get("/experiments/available", **documented(EXPERIMENTS))
async def list_safe_experiments(caller: Authenticated) -> Response:
    return caller.answer(EXPERIMENTS, [])


@router.get("/applications/host", **documented(APP_HOST))
async def get_app_host(caller: Authenticated) -> Response:
    return caller.answer(APP_HOST, AppHost())


@router.get("/deployment/ssh", **documented(SSH_CONFIG))
async def get_ssh_config(caller: Authenticated) -> Response:
    return caller.answer(SSH_CONFIG, SSHConfig())


@router.get("/deployment/stats", **documented(DEPLOYMENT_STATS))
async def get_stats(caller: Authenticated) -> Response:
    return caller.answer(DEPLOYMENT_STATS, await caller.services.observations.stats(caller.actor))
