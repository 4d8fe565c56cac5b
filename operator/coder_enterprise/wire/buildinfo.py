"""What a server says about its build."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from coder_enterprise import __version__
from coder_enterprise.wire.common import WireModel
from coder_enterprise.wire.profiles import Shape, View

VERSION: Final = f"v2.4.0+coder-enterprise-{__version__}"
"""The version of Coder whose API is served, and our own as build metadata."""


class BuildInfo(WireModel):
    external_url: str
    version: str
    dashboard_url: str
    workspace_proxy: bool = False


class SDKBuildInfo(BuildInfo):
    telemetry: bool = False
    agent_api_version: str = "1.0"
    provisioner_api_version: str = "1.0"
    upgrade_message: str = ""
    deployment_id: UUID
    """Also the id of the primary workspace proxy."""


BUILD_INFO: Final[Shape[SDKBuildInfo]] = Shape(View(BuildInfo), View(SDKBuildInfo))


def same_release(one: str, other: str) -> bool:
    """Whether major and minor version are the same. A development build goes with all."""
    if any(version.startswith("v0.0.0-devel") for version in (one, other)):
        return True
    return one.split(".")[:2] == other.split(".")[:2]
