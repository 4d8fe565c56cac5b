"""What a server says about its build."""

from __future__ import annotations

from coder_enterprise.wire.common import WireModel


class BuildInfo(WireModel):
    external_url: str
    version: str
    dashboard_url: str
    workspace_proxy: bool = False
