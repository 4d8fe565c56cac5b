"""All kinds, in one place: read by the controller, the command line and the generator of the CRDs."""

from __future__ import annotations

from typing import Any, Final

from coder_enterprise.kinds.appearance import AppearanceKind
from coder_enterprise.kinds.deployment import DeploymentKind
from coder_enterprise.kinds.group import GroupKind
from coder_enterprise.kinds.license import LicenseKind
from coder_enterprise.kinds.machinery.base import ManagedKind
from coder_enterprise.kinds.machinery.connection import ConnectionKind
from coder_enterprise.kinds.proxy import ProxyKind
from coder_enterprise.kinds.template_acl import TemplateACLKind
from coder_enterprise.kinds.user import UserKind

CONNECTION_KIND: Final[ConnectionKind[Any]] = DeploymentKind()
MANAGED_KINDS: Final[tuple[ManagedKind[Any, Any], ...]] = (
    GroupKind(),
    LicenseKind(),
    ProxyKind(),
    TemplateACLKind(),
    AppearanceKind(),
    UserKind(),
)
KINDS: Final[tuple[ConnectionKind[Any] | ManagedKind[Any, Any], ...]] = (CONNECTION_KIND, *MANAGED_KINDS)
