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

NO_TEMPLATE: Final = UUID(int=0)
"""Of an import whose version has no template yet, as Coder writes it."""
PROVISIONERS: Final[tuple[Provisioner, ...]] = ("echo", "terraform")


class JobInput(WireModel):
    template_version_id: UUID | None = None
    workspace_build_id: UUID | None = None


class JobMetadata(WireModel):
    """What the job is for: a template version, and of a build also a workspace."""

    template_version_name: str = ""
    template_id: UUID = NO_TEMPLATE
    template_name: str = ""
    template_display_name: str = ""
    template_icon: str = ""
    workspace_id: UUID | None = None
    workspace_name: str = ""


class MatchedProvisioners(WireModel):
    """How many daemons may do a job that waits, and how many of them are connected."""

    count: int = 0
    available: int = 0
    most_recently_seen: datetime | None = None


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
    available_workers: list[UUID] = Field(default_factory=list)
    """Daemons that may do it, while it waits; told in lists of jobs."""
    metadata: JobMetadata
    logs_overflowed: bool = False


class ProvisionerJobLog(WireModel):
    id: int
    created_at: datetime
    log_source: Literal["provisioner_daemon", "provisioner"]
    log_level: Literal["trace", "debug", "info", "warn", "error"]
    stage: str
    output: str


LOG: Final[Shape[ProvisionerJobLog]] = Shape(View(ProvisionerJobLog))
"""One message, for whoever follows."""
LOGS: Final[Shape[list[ProvisionerJobLog]]] = Shape(View(list[ProvisionerJobLog]))
JOB: Final[Shape[ProvisionerJob]] = Shape(View(ProvisionerJob))
JOB_CREATED: Final[Shape[ProvisionerJob]] = Shape(View(ProvisionerJob, 201))
MATCHED: Final[Shape[MatchedProvisioners]] = Shape(View(MatchedProvisioners))
JOBS: Final[Shape[list[ProvisionerJob]]] = Shape(View(list[ProvisionerJob]))
