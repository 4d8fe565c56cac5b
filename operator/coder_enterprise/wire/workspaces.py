"""Workspaces, their builds, and what they cost, as the API shows them. Names and types are those of Coder's Go SDK."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal, get_args
from uuid import UUID

from pydantic import Field

from coder_enterprise.wire.common import WireModel
from coder_enterprise.wire.profiles import Shape, View
from coder_enterprise.wire.provisioner_jobs import MatchedProvisioners, ProvisionerJob
from coder_enterprise.wire.workspace_resources import WorkspaceResource

Transition = Literal["start", "stop", "delete"]
WorkspaceStatus = Literal[
    "pending",
    "starting",
    "running",
    "stopping",
    "stopped",
    "failed",
    "canceling",
    "canceled",
    "deleting",
    "deleted",
]

STATUSES: Final[tuple[str, ...]] = get_args(WorkspaceStatus)


class WorkspaceBuild(WireModel):
    id: UUID
    created_at: datetime
    updated_at: datetime
    workspace_id: UUID
    workspace_name: str
    workspace_owner_id: UUID
    workspace_owner_name: str
    workspace_owner_avatar_url: str
    template_version_id: UUID
    template_version_name: str
    build_number: int
    transition: Transition
    initiator_id: UUID
    initiator_name: str
    job: ProvisionerJob
    reason: str = "initiator"
    resources: list[WorkspaceResource]
    deadline: datetime | None = None
    """Never set: this server stops no workspace by itself."""
    max_deadline: datetime | None = None
    status: WorkspaceStatus
    daily_cost: int
    matched_provisioners: MatchedProvisioners
    """None while the job does not wait."""
    template_version_preset_id: UUID | None = None
    has_ai_task: bool = False
    has_external_agent: bool = False


class WorkspaceHealth(WireModel):
    healthy: bool = True
    failing_agents: list[UUID] = Field(default_factory=list)


class Workspace(WireModel):
    """What Coder does by itself is not done here: a schedule and a time to live are kept and start and stop nothing,
    nothing becomes dormant unless somebody asks for it, and no agent connects."""

    id: UUID
    created_at: datetime
    updated_at: datetime
    owner_id: UUID
    owner_name: str
    owner_avatar_url: str
    organization_id: UUID
    organization_name: str
    template_id: UUID
    template_name: str
    template_display_name: str
    template_icon: str
    template_allow_user_cancel_workspace_jobs: bool
    template_active_version_id: UUID
    template_require_active_version: bool
    latest_build: WorkspaceBuild
    outdated: bool
    """Whether the latest build is not of the template's active version."""
    name: str
    autostart_schedule: str | None = None
    ttl_ms: int | None = None
    last_used_at: datetime
    """When its latest build was asked for: of what is done in a workspace this server learns nothing."""
    deleting_at: datetime | None = None
    dormant_at: datetime | None = None
    health: WorkspaceHealth = WorkspaceHealth()
    automatic_updates: Literal["always", "never"] = "never"
    allow_renames: bool = False
    favorite: bool = False
    latest_app_status: None = None
    next_start_at: datetime | None = None
    is_prebuild: bool = False
    task_id: UUID | None = None
    template_use_classic_parameter_flow: bool


class WorkspacesResponse(WireModel):
    workspaces: list[Workspace]
    count: int


class ParameterValue(WireModel):
    name: str
    value: str = Field(default="", repr=False)


class CreateWorkspaceRequest(WireModel):
    template_id: str = ""
    template_version_id: str = ""
    name: str
    autostart_schedule: str | None = None
    ttl_ms: int | None = None
    rich_parameter_values: list[ParameterValue] = Field(default_factory=list)
    template_version_preset_id: str = ""


class CreateWorkspaceBuildRequest(WireModel):
    template_version_id: str = ""
    transition: str
    rich_parameter_values: list[ParameterValue] = Field(default_factory=list)
    template_version_preset_id: str = ""
    """Its values go before those that are sent; so it is in Coder."""
    dry_run: bool = False
    state: str = Field(default="", repr=False)
    orphan: bool = False
    log_level: str = ""


class UpdateAutostartRequest(WireModel):
    schedule: str | None = None
    """None and "" are none."""


class UpdateTTLRequest(WireModel):
    ttl_ms: int | None = None
    """None and 0 are none."""


class UpdateDormancyRequest(WireModel):
    dormant: bool


class WorkspaceQuota(WireModel):
    credits_consumed: int
    budget: int
    """-1 is unlimited."""


WORKSPACE: Final[Shape[Workspace]] = Shape(View(Workspace))
WORKSPACE_CREATED: Final[Shape[Workspace]] = Shape(View(Workspace, 201))
WORKSPACES: Final[Shape[WorkspacesResponse]] = Shape(View(WorkspacesResponse))
BUILD: Final[Shape[WorkspaceBuild]] = Shape(View(WorkspaceBuild))
BUILD_PARAMETERS: Final[Shape[list[ParameterValue]]] = Shape(View(list[ParameterValue]))
BUILDS: Final[Shape[list[WorkspaceBuild]]] = Shape(View(list[WorkspaceBuild]))
BUILD_CREATED: Final[Shape[WorkspaceBuild]] = Shape(View(WorkspaceBuild, 201))
QUOTA: Final[Shape[WorkspaceQuota]] = Shape(View(WorkspaceQuota))
