"""Jobs of provisioner daemons and their logs, as the API shows them. Names and types are those of Coder's Go SDK."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from pydantic import Field

from coder_enterprise.wire.common import WireModel
from coder_enterprise.wire.profiles import Shape, View

JobType = Literal["template_version_import", "template_version_dry_run", "workspace_build"]
JobStatus = Literal["pending", "running", "succeeded", "canceling", "canceled", "failed"]
Provisioner = Literal["echo", "terraform"]

PROVISIONERS: Final[tuple[Provisioner, ...]] = ("echo", "terraform")


class JobInput(WireModel):
    template_version_id: UUID | None = None
    workspace_build_id: UUID | None = None


class ProvisionerJob(WireModel):
    id: UUID
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    canceled_at: datetime | None
    error: str = ""
    error_code: str = ""
    status: JobStatus
    worker_id: UUID | None
    worker_name: str = ""
    file_id: UUID
    tags: dict[str, str]
    queue_position: int
    """From 1 while the job waits, else 0."""
    queue_size: int
    organization_id: UUID
    initiator_id: UUID
    input: JobInput
    type: JobType
    logs_overflowed: bool = False


class ProvisionerJobLog(WireModel):
    id: int
    created_at: datetime
    log_source: Literal["provisioner_daemon", "provisioner"]
    log_level: Literal["trace", "debug", "info", "warn", "error"]
    stage: str
    output: str


class WorkspaceResource(WireModel):
    """What a job found or made. Agents are not shown: this server speaks to none."""

    id: UUID
    created_at: datetime
    job_id: UUID
    workspace_transition: str
    type: str
    name: str
    hide: bool
    icon: str
    agents: list[UUID] = Field(default_factory=list)
    daily_cost: int


LOG: Final[Shape[ProvisionerJobLog]] = Shape(View(ProvisionerJobLog))
"""One message, for whoever follows."""
LOGS: Final[Shape[list[ProvisionerJobLog]]] = Shape(View(list[ProvisionerJobLog]))
RESOURCES: Final[Shape[list[WorkspaceResource]]] = Shape(View(list[WorkspaceResource]))
