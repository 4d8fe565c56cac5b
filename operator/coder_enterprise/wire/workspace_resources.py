"""What jobs find or make for workspaces, as the API shows it. Names and types are those of Coder's Go SDK."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from pydantic import Field

from coder_enterprise.wire.common import WireModel
from coder_enterprise.wire.profiles import Shape, View


class ResourceMetadata(WireModel):
    key: str
    value: str
    sensitive: bool


class AgentHealth(WireModel):
    healthy: bool = True
    reason: str = ""


class WorkspaceAgent(WireModel):
    """As its template declares it. No agent connects to this server, so that it stays what it is before."""

    id: UUID
    parent_id: UUID | None = None
    created_at: datetime
    updated_at: datetime
    status: Literal["connecting"] = "connecting"
    lifecycle_state: Literal["created"] = "created"
    name: str
    resource_id: UUID
    instance_id: str = ""
    architecture: str
    environment_variables: dict[str, str]
    operating_system: str
    directory: str
    expanded_directory: str = ""
    version: str = ""
    api_version: str = ""
    apps: list[str] = Field(default_factory=list)
    """Always empty, as are scripts and sources of logs: this server leads to no agent."""
    scripts: list[str] = Field(default_factory=list)
    log_sources: list[str] = Field(default_factory=list)
    logs_length: int = 0
    logs_overflowed: bool = False
    connection_timeout_seconds: int
    troubleshooting_url: str
    subsystems: list[str] = Field(default_factory=list)
    health: AgentHealth = AgentHealth()
    display_apps: list[str]
    startup_script_behavior: Literal["non-blocking"] = "non-blocking"


class WorkspaceResource(WireModel):
    id: UUID
    created_at: datetime
    job_id: UUID
    workspace_transition: str
    type: str
    name: str
    hide: bool
    icon: str
    agents: list[WorkspaceAgent]
    metadata: list[ResourceMetadata]
    daily_cost: int


RESOURCES: Final[Shape[list[WorkspaceResource]]] = Shape(View(list[WorkspaceResource]))
