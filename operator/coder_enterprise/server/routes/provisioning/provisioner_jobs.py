"""/organizations/{organization}/provisionerjobs: what waits, what is being done, and what was."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response

from coder_enterprise.server.routes.answers import documented
from coder_enterprise.server.routes.dependencies import API, Authenticated
from coder_enterprise.server.routes.provisioning.filters import Ids, Limit, Statuses, Tags, ids, known, several, tags
from coder_enterprise.server.services import references
from coder_enterprise.server.services.provisioning.job_views import Which
from coder_enterprise.wire.provisioner_jobs import JOB, JOBS

router = APIRouter(prefix=API, tags=["Organizations"])

PATH: Final = "/organizations/{organization}/provisionerjobs"


async def _which(
    request: Request,
    wanted: Ids,
    status: Statuses,
    limit: Limit = 50,
    with_tags: Tags = "",
    initiator: Annotated[str, Query(description="Id of who asked for them")] = "",
) -> Which:
    """Raises `BadRequest`."""
    known(request, "limit", "ids", "status", "tags", "initiator")
    initiator_id = references.uuid_parameter("initiator", initiator) if initiator else None
    return Which(limit or None, ids(wanted), several(status), tags(with_tags), initiator_id)


@router.get(PATH, **documented(JOBS))
async def list_jobs(organization: str, caller: Authenticated, which: Annotated[Which, Depends(_which)]) -> Response:
    return await caller.answer_list(JOBS, await caller.services.job_views.list(caller.actor, organization, which))


@router.get(f"{PATH}/{{job}}", **documented(JOB))
async def get_job(organization: str, job: str, caller: Authenticated) -> Response:
    return caller.answer(JOB, await caller.services.job_views.get(caller.actor, organization, job))
