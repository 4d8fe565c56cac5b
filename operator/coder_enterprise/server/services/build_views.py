"""How builds of workspaces are shown, and what becomes of a workspace by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, get_args

from coder_enterprise.server.services.provisioning import job_views as views
from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.provisioning import job_views
from coder_enterprise.server.storage.provisioning import provisioner_jobs as stored_jobs
from coder_enterprise.server.storage.provisioning.provisioner_jobs import Job
from coder_enterprise.server.storage.workspace_builds import Build as BuildRow
from coder_enterprise.server.storage.workspaces import Workspace
from coder_enterprise.wire.workspaces import Transition, WorkspaceBuild, WorkspaceStatus

TRANSITIONS: Final[tuple[str, ...]] = get_args(Transition)
_DOING: Final[Mapping[str, tuple[WorkspaceStatus, WorkspaceStatus]]] = {
    "start": ("starting", "running"),
    "stop": ("stopping", "stopped"),
    "delete": ("deleting", "deleted"),
}


def to_wire(connection: Connection, rows: Sequence[tuple[Workspace, BuildRow]]) -> list[WorkspaceBuild]:
    job_ids = [build.job_id for _, build in rows]
    jobs = job_views.shown(connection, job_ids)
    found = stored_jobs.resources(connection, job_ids)
    able = views.candidates(connection, jobs.values())
    return [
        WorkspaceBuild.model_construct(
            id=build.id,
            created_at=build.created_at,
            updated_at=build.updated_at,
            workspace_id=workspace.id,
            workspace_name=workspace.name,
            workspace_owner_id=workspace.owner_id,
            workspace_owner_name=workspace.owner_name,
            workspace_owner_avatar_url=workspace.owner_avatar_url,
            template_version_id=build.template_version_id,
            template_version_name=build.template_version_name,
            build_number=build.build_number,
            transition=build.transition,  # type: ignore[arg-type]
            initiator_id=build.initiator_id,
            initiator_name=build.initiator_name,
            job=views.to_wire(jobs[build.job_id]),
            resources=views.resources(jobs[build.job_id].job, found[build.job_id]),
            status=status_of(jobs[build.job_id].job, build.transition),
            daily_cost=build.daily_cost,
            matched_provisioners=views.matched(able.get(build.job_id, ())),
            template_version_preset_id=build.preset_id,
            has_external_agent=views.has_external_agent(found[build.job_id]),
        )
        for workspace, build in rows
    ]


def status_of(job: Job, transition: str) -> WorkspaceStatus:
    """Of the workspace whose latest build has that job; `storage.workspace_search` finds them by it."""
    status = views.status(job)
    if status == "running":
        return _DOING[transition][0]
    if status == "succeeded":
        return _DOING[transition][1]
    return status
