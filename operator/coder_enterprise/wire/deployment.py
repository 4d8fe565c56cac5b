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


class SafeExperiments(WireModel):
    safe: list[str]
    """Those that may be switched on in production."""


class Switch(WireModel):
    enable: bool = False


class RateLimitValues(WireModel):
    api: int
    """Requests a minute."""
    disable_all: bool


class RetentionValues(WireModel):
    """Nanoseconds; 0 is for ever."""

    audit_logs: int
    api_keys: int


class SessionValues(WireModel):
    """Nanoseconds."""

    default_duration: int
    default_token_lifetime: int
    max_token_lifetime: int
    max_admin_token_lifetime: int = 0
    """The same as for everybody."""
    disable_expiry_refresh: bool = False


class QuietHoursValues(WireModel):
    default_schedule: str
    allow_user_custom: bool


class DeploymentValues(WireModel):
    """Those of Coder's settings that this server has, and what holds where it has none."""

    access_url: str
    browser_only: bool = False
    cli_upgrade_message: str = ""
    disable_password_auth: bool = False
    experiments: list[str] = Field(default_factory=list)
    proxy_health_status_interval: int
    """Nanoseconds."""
    proxy_trusted_headers: list[str]
    proxy_trusted_origins: list[str]
    rate_limit: RateLimitValues
    retention: RetentionValues
    session_lifetime: SessionValues
    swagger: Switch = Switch()
    telemetry: Switch = Switch()
    tls: Switch
    update_check: bool = False
    user_quiet_hours_schedule: QuietHoursValues


class DeploymentConfig(WireModel):
    config: DeploymentValues
    options: list[str] = Field(default_factory=list)
    """Always empty: docs/reference/settings.md has what can be set, and how."""


EXPERIMENTS: Final[Shape[list[str]]] = Shape(View(list[str]))
SAFE_EXPERIMENTS: Final[Shape[SafeExperiments]] = Shape(
    View(list[str], convert=lambda found: found.safe), View(SafeExperiments)
)
UPDATE_CHECK: Final[Shape[UpdateCheck]] = Shape(View(UpdateCheck))
APP_HOST: Final[Shape[AppHost]] = Shape(View(AppHost))
SSH_CONFIG: Final[Shape[SSHConfig]] = Shape(View(SSHConfig))
DEPLOYMENT_CONFIG: Final[Shape[DeploymentConfig]] = Shape(View(DeploymentConfig))
DEPLOYMENT_STATS: Final[Shape[DeploymentStats]] = Shape(View(DeploymentStats))
