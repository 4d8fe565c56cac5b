"""Whether a licensed feature may be used. Asked by every service whose feature Coder licenses.

Licences are not part of this server yet, and every feature is enabled.
"""

from __future__ import annotations

from enum import StrEnum


class Feature(StrEnum):
    SCIM = "scim"
    TEMPLATE_RBAC = "template_rbac"


class Entitlements:
    def require(self, feature: Feature) -> None:
        """Raises `Forbidden` when no licence enables the feature."""
