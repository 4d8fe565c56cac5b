"""What a deployment is licensed for, and the features that can be licensed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import Field, PlainSerializer

from coder_enterprise.wire.common import WireModel
from coder_enterprise.wire.profiles import Shape, View

Entitlement = Literal["entitled", "grace_period", "not_entitled"]


class Feature(StrEnum):
    """The licensed features of Coder 2.4, and those that its clients of 2026 ask for: named here, and nowhere else."""

    USER_LIMIT = "user_limit"
    AUDIT_LOG = "audit_log"
    BROWSER_ONLY = "browser_only"
    SCIM = "scim"
    TEMPLATE_RBAC = "template_rbac"
    USER_ROLE_MANAGEMENT = "user_role_management"
    HIGH_AVAILABILITY = "high_availability"
    MULTIPLE_EXTERNAL_AUTH = "multiple_external_auth"
    EXTERNAL_PROVISIONER_DAEMONS = "external_provisioner_daemons"
    APPEARANCE = "appearance"
    ADVANCED_TEMPLATE_SCHEDULING = "advanced_template_scheduling"
    TEMPLATE_AUTOSTOP_REQUIREMENT = "template_autostop_requirement"
    WORKSPACE_PROXY = "workspace_proxy"
    EXTERNAL_TOKEN_ENCRYPTION = "external_token_encryption"  # noqa: S105
    WORKSPACE_BATCH_ACTIONS = "workspace_batch_actions"
    ACCESS_CONTROL = "access_control"
    CONTROL_SHARED_PORTS = "control_shared_ports"
    CONNECTION_LOG = "connection_log"
    CUSTOM_ROLES = "custom_roles"
    MULTIPLE_ORGANIZATIONS = "multiple_organizations"
    TASK_BATCH_ACTIONS = "task_batch_actions"
    WORKSPACE_PREBUILDS = "workspace_prebuilds"
    WORKSPACE_EXTERNAL_AGENT = "workspace_external_agent"
    MANAGED_AGENT_LIMIT = "managed_agent_limit"
    AIBRIDGE = "aibridge"
    BOUNDARY = "boundary"
    AI_GOVERNANCE_USER_LIMIT = "ai_governance_user_limit"

    @property
    def label(self) -> str:
        """What people call it."""
        return _TITLES.get(self) or " ".join(word.capitalize() for word in self.value.split("_"))


LIMITS: Final = frozenset({Feature.USER_LIMIT, Feature.MANAGED_AGENT_LIMIT, Feature.AI_GOVERNANCE_USER_LIMIT})
"""Features that are numbers: a licence for all features says nothing about them."""
_TITLES: Final = {Feature.SCIM: "SCIM", Feature.TEMPLATE_RBAC: "Template RBAC"}


def _documented_count(count: int | None) -> int:
    """The page shows both counts of every feature; only users have any."""
    return count or 0


_Count = Annotated[int | None, PlainSerializer(_documented_count)]


class FeatureState(WireModel):
    entitlement: Entitlement
    enabled: bool
    limit: _Count = None
    actual: _Count = None


class SDKFeatureState(FeatureState):
    limit: int | None = Field(default=None, exclude_if=lambda value: value is None)
    actual: int | None = Field(default=None, exclude_if=lambda value: value is None)


class Entitlements(WireModel):
    features: Mapping[Feature, FeatureState]
    """Every feature, always."""
    warnings: list[str]
    errors: list[str]
    has_license: bool
    trial: bool
    require_telemetry: bool
    refreshed_at: datetime


class SDKEntitlements(Entitlements):
    features: dict[Feature, SDKFeatureState]


ENTITLEMENTS: Final[Shape[SDKEntitlements]] = Shape(View(Entitlements), View(SDKEntitlements))
