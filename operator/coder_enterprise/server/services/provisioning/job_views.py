"""How jobs, and what they found or made, are shown: to those who list jobs, and within template versions and builds.

Who sees a template version or a build sees its job; lists of jobs are for those who may see all of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, get_args
from uuid import UUID

from coder_enterprise.server import access
from coder_enterprise.server.access import Actor, Kind, Subject
from coder_enterprise.server.errors import NotFound, bad_query
from coder_enterprise.server.services import references
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.provisioning import job_tags
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.server.storage.provisioning import job_views, provisioner_daemons
from coder_enterprise.server.storage.provisioning.job_views import About, Filter, Shown
from coder_enterprise.server.storage.provisioning.provisioner_daemons import ProvisionerDaemon
from coder_enterprise.server.storage.provisioning.provisioner_jobs import Job
from coder_enterprise.wire.provisioner_jobs import (
    NO_TEMPLATE,
    JobInput,
    JobMetadata,
    JobStatus,
    MatchedProvisioners,
    ProvisionerJob,
)
from coder_enterprise.wire.workspace_resources import ResourceMetadata, WorkspaceAgent, WorkspaceResource

OFFLINE_AFTER: Final = timedelta(seconds=90)
"""That a daemon was not seen."""
STATUSES: Final[tuple[str, ...]] = get_args(JobStatus)
EXTERNAL_AGENT: Final = "coder_external_agent"
"""The type of its resource in Terraform."""
JOBS: Final = Subject(Kind.PROVISIONER_JOB)


class Which(NamedTuple):
    """The jobs that a list shall hold; empty means all."""

    limit: int | None = None
    ids: tuple[UUID, ...] = ()
    statuses: tuple[str, ...] = ()
    tags: Mapping[str, str] = job_tags.NO_TAGS
    initiator_id: UUID | None = None


class JobViews:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, actor: Actor, organization: str, which: Which) -> list[ProvisionerJob]:
        """Newest first. Raises `BadRequest`, and `NotFound` for the organization and for one who may not see jobs."""
        unknown = sorted(set(which.statuses) - set(STATUSES))
        if unknown:
            raise bad_query(status=f"{unknown[0]!r} is not one of {', '.join(STATUSES)}")

        def work(connection: Connection) -> list[ProvisionerJob]:
            home = _home(connection, actor, organization)
            sets = _with(job_views.tag_sets(connection, home), which.tags) if which.tags else None
            wanted = Filter(which.ids, which.statuses, which.initiator_id, sets)
            return _listed(connection, job_views.newest(connection, home, wanted, which.limit))

        return await self._database.read(work)

    async def get(self, actor: Actor, organization: str, reference: str) -> ProvisionerJob:
        """Raises `BadRequest` for what is no id, and `NotFound` like `list`."""
        job_id = references.uuid_parameter("job", reference)

        def work(connection: Connection) -> ProvisionerJob:
            home = _home(connection, actor, organization)
            found = job_views.newest(connection, home, Filter(ids=(job_id,)), 1)
            if not found:
                raise NotFound
            return _listed(connection, found)[0]

        return await self._database.read(work)


def _home(connection: Connection, actor: Actor, organization: str) -> UUID:
    home = references.organization(connection, organization)
    if not access.sees(actor, JOBS):
        raise NotFound
    return home.id


def _with(sets: Iterable[dict[str, str]], wanted: Mapping[str, str]) -> tuple[dict[str, str], ...]:
    return tuple(tags for tags in sets if job_tags.accepts(tags, wanted))


def _listed(connection: Connection, found: Sequence[Shown]) -> list[ProvisionerJob]:
    able = candidates(connection, found)
    jobs = [to_wire(shown) for shown in found]
    for job in jobs:
        job.available_workers = [daemon.id for daemon in able.get(job.id, ())]
    return jobs


def status(job: Job) -> JobStatus:
    """A canceled job that a daemon ends with an error has failed; so it is in Coder."""
    if job.completed_at is None:
        if job.canceled_at is not None:
            return "canceling"
        return "pending" if job.started_at is None else "running"
    if job.error:
        return "failed"
    return "succeeded" if job.canceled_at is None else "canceled"


def to_wire(shown: Shown) -> ProvisionerJob:
    job = shown.job
    return ProvisionerJob.model_construct(
        id=job.id,
        created_at=job.created_at,
        started_at=job.started_at,
        completed_at=job.completed_at,
        canceled_at=job.canceled_at,
        error=job.error,
        error_code=job.error_code,
        status=status(job),
        worker_id=job.worker_id,
        worker_name=shown.worker_name,
        file_id=job.file_id,
        tags=job.tags,
        queue_position=shown.queue_position,
        queue_size=shown.queue_size,
        organization_id=job.organization_id,
        initiator_id=job.initiator_id,
        input=JobInput.model_validate(job.input),
        type=job.type,  # type: ignore[arg-type]
        metadata=_metadata(shown.about),
        logs_overflowed=job.logs_overflowed,
    )


def _metadata(about: About) -> JobMetadata:
    return JobMetadata.model_construct(
        template_version_name=about.template_version_name or "",
        template_id=about.template_id or NO_TEMPLATE,
        template_name=about.template_name or "",
        template_display_name=about.template_display_name or "",
        template_icon=about.template_icon or "",
        workspace_id=about.workspace_id,
        workspace_name=about.workspace_name or "",
    )


# Who may do a job that waits.


def candidates(connection: Connection, jobs: Iterable[Shown]) -> dict[UUID, list[ProvisionerDaemon]]:
    """For each of the jobs that waits the daemons that may do it, oldest first, whether they are connected or not."""
    waiting: dict[UUID, list[Job]] = defaultdict(list)
    for shown in jobs:
        if shown.waits:
            waiting[shown.job.organization_id].append(shown.job)
    able: dict[UUID, list[ProvisionerDaemon]] = {}
    for organization_id, its_jobs in waiting.items():
        daemons = [daemon for daemon, _ in reversed(provisioner_daemons.of_organization(connection, organization_id))]
        for job in its_jobs:
            able[job.id] = [daemon for daemon in daemons if _may_do(daemon, job)]
    return able


def _may_do(daemon: ProvisionerDaemon, job: Job) -> bool:
    return job.provisioner in daemon.provisioners and job_tags.accepts(daemon.tags, job.tags)


def matched(daemons: Sequence[ProvisionerDaemon]) -> MatchedProvisioners:
    moment = now()
    return MatchedProvisioners.model_construct(
        count=len(daemons),
        available=sum(not is_offline(daemon, moment) for daemon in daemons),
        most_recently_seen=max((daemon.last_seen_at for daemon in daemons), default=None),
    )


def is_offline(daemon: ProvisionerDaemon, moment: datetime) -> bool:
    return moment - daemon.last_seen_at > OFFLINE_AFTER


# What a job found or made, as `results` keeps it.


def resources(job: Job, found: Iterable[Mapping[str, Any]]) -> list[WorkspaceResource]:
    moment = job.completed_at or job.updated_at
    return [_resource(job, moment, item) for item in found]


def _resource(job: Job, moment: datetime, item: Mapping[str, Any]) -> WorkspaceResource:
    """What an older server kept has neither agents nor metadata."""
    known = {"agents": [], "metadata": [], **item}
    agents = [
        WorkspaceAgent(**agent, resource_id=known["id"], created_at=moment, updated_at=moment)
        for agent in known["agents"]
    ]
    metadata = [ResourceMetadata(**entry) for entry in known["metadata"]]
    return WorkspaceResource(**known | {"agents": agents, "metadata": metadata}, created_at=moment, job_id=job.id)


def has_external_agent(found: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the job made one of those agents that run elsewhere."""
    return any(item["type"] == EXTERNAL_AGENT for item in found)
