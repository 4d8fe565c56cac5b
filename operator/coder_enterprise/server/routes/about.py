"""What the server says of itself: what it has not, how it is set, and how many workspaces do what."""

from __future__ import annotations

from fastapi import APIRouter, Response

from coder_enterprise.server.routes.answers import answer, documented
from coder_enterprise.server.routes.dependencies import API, Authenticated, Public
from coder_enterprise.wire.deployment import (
    APP_HOST,
    DEPLOYMENT_CONFIG,
    DEPLOYMENT_STATS,
    EXPERIMENTS,
    SAFE_EXPERIMENTS,
    SSH_CONFIG,
    UPDATE_CHECK,
    AppHost,
    SafeExperiments,
    SSHConfig,
    UpdateCheck,
)

router = APIRouter(prefix=API, tags=["General"])


@router.get("/updatecheck", **documented(UPDATE_CHECK))
async def check_for_updates(services: Public) -> Response:
    return answer(services.profile, UPDATE_CHECK, UpdateCheck(version=services.deployment.version))


@router.get("/experiments", **documented(EXPERIMENTS))
async def list_experiments(caller: Authenticated) -> Response:
    return caller.answer(EXPERIMENTS, [])


@router.get("/experiments/available", **documented(SAFE_EXPERIMENTS))
async def list_safe_experiments(caller: Authenticated) -> Response:
    return caller.answer(SAFE_EXPERIMENTS, SafeExperiments(safe=[]))


@router.get("/applications/host", **documented(APP_HOST))
async def get_app_host(caller: Authenticated) -> Response:
    return caller.answer(APP_HOST, AppHost())


@router.get("/deployment/ssh", **documented(SSH_CONFIG))
async def get_ssh_config(caller: Authenticated) -> Response:
    return caller.answer(SSH_CONFIG, SSHConfig())


@router.get("/deployment/config", **documented(DEPLOYMENT_CONFIG))
async def get_config(caller: Authenticated) -> Response:
    return caller.answer(DEPLOYMENT_CONFIG, caller.services.deployment_configs.get(caller.actor))


@router.get("/deployment/stats", **documented(DEPLOYMENT_STATS))
async def get_stats(caller: Authenticated) -> Response:
    return caller.answer(DEPLOYMENT_STATS, await caller.services.observations.stats(caller.actor))
