"""What the server says about itself."""

from __future__ import annotations

from typing import Final

from coder_enterprise import __version__
from coder_enterprise.wire.buildinfo import BuildInfo

VERSION: Final = f"v2.4.0+coder-enterprise-{__version__}"
"""The version of Coder whose API is served, and our own as build metadata."""


def build_info(access_url: str) -> BuildInfo:
    return BuildInfo(external_url=access_url, version=VERSION, dashboard_url=access_url, workspace_proxy=False)
