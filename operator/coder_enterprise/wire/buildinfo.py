"""What a server says about its build, and which release of Coder it says it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from uuid import UUID

from coder_enterprise import __version__
from coder_enterprise.wire.common import WireModel
from coder_enterprise.wire.profiles import Profile, Shape, View
from coder_enterprise.wire.provisioner_daemons import API_MAJOR, API_MINOR

RELEASES: Final[Mapping[Profile, str]] = {Profile.DOCUMENTED: "v2.4.0", Profile.CODERSDK: "v2.30.0"}
"""Of Coder: the last one with the contract page as it is, and the one whose SDK's shapes are answered."""
_OWN: Final = re.compile(r"\+(coder-enterprise-\d+\.\d+)\b")


def version_of(release: str) -> str:
    """What is announced: the release of Coder whose API is served, and our own version as build metadata."""
    return f"{release}+coder-enterprise-{__version__}"


VERSION: Final = version_of(RELEASES[Profile.DOCUMENTED])
"""What announces itself without a wire profile: workspace proxies, and requests to others."""


class BuildInfo(WireModel):
    external_url: str
    version: str
    dashboard_url: str
    workspace_proxy: bool = False


class SDKBuildInfo(BuildInfo):
    telemetry: bool = False
    agent_api_version: str = "1.0"
    provisioner_api_version: str = f"{API_MAJOR}.{API_MINOR}"
    """The latest that daemons may speak."""
    upgrade_message: str = ""
    deployment_id: UUID
    """Also the id of the primary workspace proxy."""


BUILD_INFO: Final[Shape[SDKBuildInfo]] = Shape(View(BuildInfo), View(SDKBuildInfo))


def same_release(one: str, other: str) -> bool:
    """Whether major and minor version are the same: our own ones where both are ours, whatever release of Coder they
    announce. A development build goes with all."""
    if any(version.startswith("v0.0.0-devel") for version in (one, other)):
        return True
    ours = [found[1] for found in map(_OWN.search, (one, other)) if found]
    if len(ours) == 2:
        return ours[0] == ours[1]
    return one.split(".")[:2] == other.split(".")[:2]
