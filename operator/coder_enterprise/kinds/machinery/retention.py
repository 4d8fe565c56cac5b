"""Whether the deletion of an object leaves alone what it stands for in Coder, as far as the object itself says so.

Asked by the controller when an object goes, and by plans of what is no longer declared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coder_enterprise.kinds.machinery.common import DeletionPolicy, ManagementPolicy
from coder_enterprise.kinds.machinery.resource import FORCE_DETACH
from coder_enterprise.kinds.machinery.suspension import suspension


def left_alone(spec: Mapping[str, Any], annotations: Mapping[str, str]) -> str:
    """Why Coder is not touched; "" where it is."""
    if annotations.get(FORCE_DETACH) == "true":
        return "detached by annotation"
    if spec.get("deletionPolicy") == DeletionPolicy.RETAIN:
        return "deletionPolicy is Retain"
    stopped = suspension(spec)
    if stopped:
        return stopped.why
    policy = spec.get("managementPolicy", ManagementPolicy.ENFORCE)
    return "" if policy == ManagementPolicy.ENFORCE else f"managementPolicy is {policy}"
