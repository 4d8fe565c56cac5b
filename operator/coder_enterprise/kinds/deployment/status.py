"""What the status of a CoderDeployment says, and its metrics."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import Field

from coder_enterprise.kinds.deployment.spec import MAX_URL
from coder_enterprise.kinds.machinery.common import MAX_LEFT_BEHIND, BaseStatus
from coder_enterprise.kinds.machinery.connection import Figure
from coder_enterprise.kinds.machinery.schema import KindModel, ListMap

MAX_VERSION: Final = 128
MAX_NAME: Final = 255
MAX_ROLES: Final = 64
MAX_FEATURES: Final = 128
MAX_REPLICAS: Final = 128
MAX_ERROR: Final = 1024

LICENSE_DAYS_LEFT: Final = Figure(
    "license_days_left",
    "Days until what the licences of a deployment cover now ends; 0 in grace and after it.",
)
LICENSE_EXPIRY: Final = Figure(
    "license_expiry_timestamp_seconds", "When what the licences of a deployment cover now ends."
)
CREDENTIAL_EXPIRY: Final = Figure(
    "credential_expiry_timestamp_seconds", "When the operator's session token of a deployment expires."
)
REPLICAS: Final = Figure("coder_replicas", "Replicas of Coder.")
REPLICAS_HEALTHY: Final = Figure("coder_replicas_healthy", "Replicas of Coder without an error.")
PROXIES: Final = Figure("coder_proxies", "Workspace proxies of Coder.")
PROXIES_HEALTHY: Final = Figure("coder_proxies_healthy", "Workspace proxies that Coder finds healthy.")
FIGURES: Final = (
    LICENSE_DAYS_LEFT,
    LICENSE_EXPIRY,
    CREDENTIAL_EXPIRY,
    REPLICAS,
    REPLICAS_HEALTHY,
    PROXIES,
    PROXIES_HEALTHY,
)


class Identity(KindModel):
    url: Annotated[str, Field(max_length=MAX_URL)] | None = None
    """Where the token was accepted last."""
    username: Annotated[str, Field(max_length=MAX_NAME)] | None = None
    roles: Annotated[tuple[Annotated[str, Field(max_length=MAX_NAME)], ...], Field(max_length=MAX_ROLES)] | None = None


class LicenseSummary(KindModel):
    valid: bool | None = None
    expires_at: datetime | None = None
    """When the first of the features that are licensed now is not any more, grace periods aside; licences that follow
    without a gap count."""
    days_left: int | None = None


class ReplicaSummary(KindModel):
    hostname: Annotated[str, Field(max_length=MAX_NAME)]
    region: int | None = None
    error: Annotated[str, Field(max_length=MAX_ERROR)] | None = None


class LeftBehind(KindModel):
    id: Annotated[str, Field(max_length=MAX_NAME)]
    """In Coder."""
    at: datetime
    """When the object was deleted."""


class Counts(KindModel):
    total: int = 0
    ready: int = 0


class DeploymentStatus(BaseStatus):
    version: Annotated[str, Field(max_length=MAX_VERSION)] | None = None
    """Coder's version."""
    wire_profile: Annotated[str, Field(max_length=32)] | None = None
    """documented or codersdk: which of the two shapes of lists the server sends."""
    identity: Identity | None = None
    """Whose token it is."""
    license: LicenseSummary | None = None
    features: Annotated[dict[str, bool], Field(max_length=MAX_FEATURES)] | None = None
    """Which features are enabled."""
    replicas: Annotated[list[ReplicaSummary], Field(max_length=MAX_REPLICAS), ListMap("hostname")] | None = None
    replicas_healthy: Annotated[str, Field(max_length=16)] | None = None
    """Healthy and all, such as 2/3."""
    provisioner_daemons: int | None = None
    """How many were seen within the last 90 seconds."""
    proxies_healthy: Annotated[str, Field(max_length=16)] | None = None
    """Healthy and all workspace proxies, such as 1/2."""
    managed_objects: Counts | None = None
    """Objects that refer to this deployment."""
    left_behind: Annotated[dict[str, LeftBehind], Field(max_length=MAX_LEFT_BEHIND)] | None = None
    """Whom the deletion of a CoderUser suspended, by kind, namespace and name of the object: one of the same name that
    comes back lets them in again."""
    circuit: Annotated[str, Field(max_length=16)] | None = None
    """Closed: objects are reconciled; Open: they wait until the deployment answers again."""


NOT_KNOWN: Final[Mapping[str, Any]] = dict.fromkeys(
    ("license", "features", "replicas", "replicasHealthy", "provisionerDaemons", "proxiesHealthy")
)
"""Status fields that are cleared while Coder does not tell them."""
