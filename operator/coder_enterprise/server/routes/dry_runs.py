"""/templateversions/{version}/dry-run."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Response, WebSocket

from coder_enterprise.server.routes.answers import documented
from coder_enterprise.server.routes.bodies import body, expects
from coder_enterprise.server.routes.dependencies import API, Authenticated
from coder_enterprise.server.routes.following import NOT_FOLLOWED, LogSpan, send_lines
from coder_enterprise.wire.common import RESPONSE
from coder_enterprise.wire.provisioner_jobs import JOB, JOB_CREATED, LOGS, MATCHED
from coder_enterprise.wire.template_versions import CreateDryRunRequest
from coder_enterprise.wire.workspace_resources import RESOURCES

router = APIRouter(prefix=API, tags=["Templates"])
ROOT: Final = "/templateversions/{version}/dry-run"


@router.post(ROOT, **documented(JOB_CREATED, responses={425: {}}), openapi_extra=expects(CreateDryRunRequest))
async def create_dry_run(
    version: str, caller: Authenticated, request: Annotated[CreateDryRunRequest, body(CreateDryRunRequest)]
) -> Response:
    return caller.answer(JOB_CREATED, await caller.services.dry_runs.create(caller.actor, version, request))


@router.get(ROOT + "/{job}", **documented(JOB))
async def get_dry_run(version: str, job: str, caller: Authenticated) -> Response:
    return caller.answer(JOB, await caller.services.dry_runs.get(caller.actor, version, job))


@router.get(ROOT + "/{job}/matched-provisioners", **documented(MATCHED))
async def get_dry_run_daemons(version: str, job: str, caller: Authenticated) -> Response:
    return caller.answer(MATCHED, await caller.services.dry_runs.matched(caller.actor, version, job))


@router.get(ROOT + "/{job}/resources", **documented(RESOURCES))
async def get_dry_run_resources(version: str, job: str, caller: Authenticated) -> Response:
    return caller.answer(RESOURCES, await caller.services.dry_runs.resources(caller.actor, version, job))


@router.get(ROOT + "/{job}/logs", **documented(LOGS, responses={426: {}}), dependencies=[NOT_FOLLOWED])
async def get_dry_run_logs(version: str, job: str, caller: Authenticated, span: LogSpan) -> Response:
    return caller.answer(LOGS, await caller.services.dry_runs.logs(caller.actor, version, job, span))


@router.websocket(ROOT + "/{job}/logs")
async def follow_dry_run_logs(
    version: str, job: str, caller: Authenticated, span: LogSpan, websocket: WebSocket
) -> None:
    await send_lines(websocket, caller, caller.services.dry_runs.follow(caller.actor, version, job, span))


@router.patch(ROOT + "/{job}/cancel", **documented(RESPONSE))
async def cancel_dry_run(version: str, job: str, caller: Authenticated) -> Response:
    await caller.services.dry_runs.cancel(caller.actor, version, job)
    return caller.done("Job has been marked as canceled...")
