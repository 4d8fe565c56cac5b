"""What a server says of itself beside its build: names and types are those of Coder's Go SDK.

Much of it is about what this server does not do, and says so: no experiments, no agents, no prebuilt workspaces.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from pydantic import Field

from coder_enterprise.wire.common import WireModel
from coder_enterprise.wire.profiles import Shape, View


class UpdateCheck(WireModel):
    current: bool = True
    """Always: this server asks nobody for newer ones."""
    version: str
    url: str = ""


class AppHost(WireModel):
    host: str = ""
    """Where applications of workspaces are served by name; "" is nowhere."""


class SSHConfig(WireModel):
    hostname_prefix: str = "coder."
    hostname_suffix: str = "coder"
    ssh_config_options: dict[str, str] = Field(default_factory=dict)


class ConnectionLatency(WireModel):
    p50: float = -1
    p95: float = -1


class WorkspaceStats(WireModel):
    pending: int = 0
    building: int = 0
    running: int = 0
    failed: int = 0
    stopped: int = 0
    connection_latency_ms: ConnectionLatency = ConnectionLatency()
    """-1 is unknown, as in Coder: this server speaks to no agents."""
    rx_bytes: int = 0
    tx_bytes: int = 0


class SessionCount(WireModel):
    vscode: int = 0
    ssh: int = 0
    jetbrains: int = 0
    reconnecting_pty: int = 0


class DeploymentStats(WireModel):
    aggregated_from: datetime
    collected_at: datetime
    next_update_at: datetime
    """Counted anew for each request, so that all three are now."""
    workspaces: WorkspaceStats
    session_count: SessionCount = SessionCount()


EXPERIMENTS: Final[Shape[list[str]]] = Shape(View(list[str]))
UPDATE_CHECK: Final[Shape[UpdateCheck]] = Shape(View(UpdateCheck))
APP_HOST: Final[Shape[AppHost]] = Shape(View(AppHost))
SSH_CONFIG: Final[Shape[SSHConfig]] = Shape(View(SSHConfig))
DEPLOYMENT_STATS: Final[Shape[DeploymentStats]] = Shape(View(DeploymentStats))
