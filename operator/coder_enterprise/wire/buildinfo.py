"""What a server says about its build."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from coder_enterprise.wire.common import WireModel
from coder_enterprise.wire.profiles import Shape, View


class BuildInfo(WireModel):
    external_url: str
    version: str
    dashboard_url: str
    workspace_proxy: bool = False


class SDKBuildInfo(BuildInfo):
    telemetry: bool = False
    agent_api_version: str = "1.0"
    provisioner_api_version: str = "1.0"
    deployment_id: UUID
    """Also the id of the primary workspace proxy."""


BUILD_INFO: Final[Shape[SDKBuildInfo]] = Shape(View(BuildInfo), View(SDKBuildInfo))
