"""The audit log, as the API shows it.

The contract page has none of it; names and types are those of Coder's Go SDK.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal, get_args
from uuid import UUID

from coder_enterprise.wire.common import WireModel
from coder_enterprise.wire.organizations import MinimalOrganization
from coder_enterprise.wire.profiles import Shape, View
from coder_enterprise.wire.users import SDKUser

ResourceType = Literal[
    "api_key",
    "appearance",
    "file",
    "group",
    "license",
    "organization_member",
    "provisioner_daemon",
    "provisioner_key",
    "template",
    "template_version",
    "user",
    "workspace",
    "workspace_build",
    "workspace_proxy",
]
"""Of what this server notes; those below are Coder's, and can be searched for."""
OthersResourceType = Literal[
    "ai_seat",
    "convert_login",
    "custom_role",
    "git_ssh_key",
    "health_settings",
    "idp_sync_settings_group",
    "idp_sync_settings_organization",
    "idp_sync_settings_role",
    "notification_template",
    "notifications_settings",
    "oauth2_provider_app",
    "oauth2_provider_app_secret",
    "organization",
    "prebuilds_settings",
    "task",
    "workspace_agent",
    "workspace_app",
]
Action = Literal[
    "create",
    "write",
    "delete",
    "start",
    "stop",
    "login",
    "logout",
    "register",
    "login_failed",
]
OthersAction = Literal["request_password_reset", "connect", "disconnect", "open", "close"]
BuildReason = Literal[
    "initiator",
    "autostart",
    "autostop",
    "dormancy",
    "failedstop",
    "autodelete",
    "dashboard",
    "cli",
    "ssh_connection",
    "vscode_connection",
    "jetbrains_connection",
]

RESOURCE_TYPES: Final[tuple[str, ...]] = (*get_args(ResourceType), *get_args(OthersResourceType))
ACTIONS: Final[tuple[str, ...]] = (*get_args(Action), *get_args(OthersAction))
BUILD_REASONS: Final[tuple[str, ...]] = get_args(BuildReason)


class Difference(WireModel):
    old: Any
    new: Any
    secret: bool = False


class AuditLog(WireModel):
    id: UUID
    time: datetime
    resource_type: str
    resource_id: UUID
    """All zeros for what has no UUID; then `additional_fields` has the id."""
    resource_target: str
    """The name."""
    action: str
    diff: dict[str, Difference]
    """By field."""
    description: str
    user: SDKUser | None
    """Null is the server itself, or somebody who is not known."""
    ip: str
    """The client's address, "" for the server's own work and for entries of older versions."""
    user_agent: str
    """Like `ip`."""
    request_id: UUID
    """All zeros where the client brought an id of another form; then `additional_fields` has it."""
    status_code: int
    """With which the change was answered, as far as its kind tells; 0 for the server's own work."""
    organization_id: UUID
    """All zeros for what is in none."""
    organization: MinimalOrganization | None
    resource_icon: str = ""
    resource_link: str = ""
    """Always "": the server has no page to show it on."""
    is_deleted: bool
    """Whether the resource is not there any more."""
    additional_fields: dict[str, str]


class AuditLogResponse(WireModel):
    audit_logs: list[AuditLog]
    count: int
    """Of all that match, up to 10,000."""


AUDIT_LOGS: Final[Shape[AuditLogResponse]] = Shape(View(AuditLogResponse))
