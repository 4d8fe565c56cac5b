"""Templates, as the API shows them, and the requests that make and change them.

The contract page has none of these; names and types are those of Coder's Go SDK.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import Field

from coder_enterprise.wire.common import WireModel
from coder_enterprise.wire.profiles import Shape, View

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
HOUR_MS: Final = 3_600_000


class AutostopRequirement(WireModel):
    days_of_week: list[str] = Field(default_factory=list)
    weeks: int = 1


class AutostartRequirement(WireModel):
    days_of_week: list[str] = Field(default_factory=lambda: list(WEEKDAYS))


class TemplateSettings(WireModel):
    """How workspaces of a template behave; `…_ms` are milliseconds, and 0 is off."""

    default_ttl_ms: int = 0
    activity_bump_ms: int = HOUR_MS
    autostop_requirement: AutostopRequirement = Field(default_factory=AutostopRequirement)
    autostart_requirement: AutostartRequirement = Field(default_factory=AutostartRequirement)
    allow_user_autostart: bool = True
    allow_user_autostop: bool = True
    allow_user_cancel_workspace_jobs: bool = True
    failure_ttl_ms: int = 0
    time_til_dormant_ms: int = 0
    time_til_dormant_autodelete_ms: int = 0
    require_active_version: bool = False
    deprecation_message: str = ""
    max_port_share_level: str = "owner"
    cors_behavior: str = "simple"
    use_classic_parameter_flow: bool = True


class TransitionStats(WireModel):
    """Milliseconds that builds take; null when there were none."""

    P50: int | None = None
    P95: int | None = None


class BuildTimeStats(WireModel):
    start: TransitionStats = TransitionStats()
    stop: TransitionStats = TransitionStats()
    delete: TransitionStats = TransitionStats()


class Template(TemplateSettings):
    id: UUID
    created_at: datetime
    updated_at: datetime
    organization_id: UUID
    organization_name: str
    organization_display_name: str
    organization_icon: str = ""
    name: str
    display_name: str
    provisioner: str = "terraform"
    active_version_id: UUID
    active_user_count: int = -1
    """-1 is unknown: this server has no workspaces to count."""
    build_time_stats: BuildTimeStats = BuildTimeStats()
    description: str
    deprecated: bool
    icon: str
    created_by_id: UUID
    created_by_name: str


class TemplateRequest(WireModel):
    """What is absent or null is kept, or the default when the template is new."""

    display_name: str | None = None
    description: str | None = None
    icon: str | None = None
    default_ttl_ms: int | None = None
    activity_bump_ms: int | None = None
    autostop_requirement: AutostopRequirement | None = None
    autostart_requirement: AutostartRequirement | None = None
    allow_user_autostart: bool | None = None
    allow_user_autostop: bool | None = None
    allow_user_cancel_workspace_jobs: bool | None = None
    failure_ttl_ms: int | None = None
    require_active_version: bool | None = None
    max_port_share_level: str | None = None
    cors_behavior: str | None = None
    disable_everyone_group_access: bool = False
    """True takes the role of Everyone away; false leaves it."""


class CreateTemplateRequest(TemplateRequest):
    """Two fields have other names than in every other request and answer; so it is in Coder."""

    name: str
    template_version_id: str = ""
    dormant_ttl_ms: int | None = None
    delete_ttl_ms: int | None = None
    template_use_classic_parameter_flow: bool | None = None


class PatchTemplateRequest(TemplateRequest):
    name: str = ""
    time_til_dormant_ms: int | None = None
    time_til_dormant_autodelete_ms: int | None = None
    deprecation_message: str | None = None
    use_classic_parameter_flow: bool | None = None


class TemplateExample(WireModel):
    id: str
    url: str
    name: str
    description: str
    icon: str
    tags: list[str]
    markdown: str


class SDKPatchTemplateRequest(PatchTemplateRequest):
    """As Go's SDK means it: up to 2.33 it leaves a number that is 0 and a boolean that is false out of what it sends.

    They are plain values there, while the texts, `autostop_requirement`, `autostart_requirement`,
    `max_port_share_level`, `cors_behavior` and `use_classic_parameter_flow` are pointers, left out where nothing is
    set. Newer clients always send what they set.
    """

    default_ttl_ms: int = 0
    activity_bump_ms: int = 0
    allow_user_autostart: bool = False
    allow_user_autostop: bool = False
    allow_user_cancel_workspace_jobs: bool = False
    failure_ttl_ms: int = 0
    time_til_dormant_ms: int = 0
    time_til_dormant_autodelete_ms: int = 0
    require_active_version: bool = False


EXAMPLES: Final[Shape[list[TemplateExample]]] = Shape(View(list[TemplateExample]))
TEMPLATE: Final[Shape[Template]] = Shape(View(Template))
TEMPLATE_CREATED: Final[Shape[Template]] = Shape(View(Template, 201))
TEMPLATES: Final[Shape[list[Template]]] = Shape(View(list[Template]))
