"""Whether a licensed feature may be used. Asked by every service whose feature Coder licenses.

Licences are not part of this server yet, and every feature is enabled.
"""

from __future__ import annotations

from enum import StrEnum


class Feature(StrEnum):
    TEMPLATE_RBAC = "template_rbac"
    ADVANCED_TEMPLATE_SCHEDULING = "advanced_template_scheduling"
    WORKSPACE_PROXY = "workspace_proxy"


class Entitlements:
    def require(self, feature: Feature) -> None:
        """Raises `Forbidden` when no licence enables the feature."""
