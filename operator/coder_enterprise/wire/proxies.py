"""Workspace proxies and regions, as the API shows them, and the requests that make, change and register them.

A proxy's token is shown once. The contract page has no field for it: in its shapes the token travels in the header
`Coder-Workspace-Proxy-Token`, and in those of Coder's Go SDK in the body.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import Field, PlainSerializer

from coder_enterprise.wire.common import WireModel
from coder_enterprise.wire.profiles import Shape, View
from coder_enterprise.wire.replicas import Replica

TOKEN_HEADER: Final = "Coder-Workspace-Proxy-Token"  # noqa: S105
"""Of an answer that shows a new token."""
PROXY_AUTHENTICATION: Final = "Coder-External-Proxy-Token"
"""Of a request that a proxy sends."""

DocumentedHealth = Literal["ok", "unreachable", "unhealthy", "unregistered"]
Health = Literal["ok", "unreachable", "unhealthy", "unregistered", "unknown"]


def _documented_health(status: str) -> DocumentedHealth:
    """The page knows no `unknown`: what has not been checked yet has not shown itself yet."""
    return "unregistered" if status == "unknown" else status  # type: ignore[return-value]


class ProxyHealthReport(WireModel):
    errors: list[str]
    warnings: list[str]


class WorkspaceProxyStatus(WireModel):
    status: Annotated[str, PlainSerializer(_documented_health)]
    report: ProxyHealthReport
    checked_at: datetime


class SDKWorkspaceProxyStatus(WorkspaceProxyStatus):
    status: Health


class Region(WireModel):
    """What everybody may see of a proxy, and of the server itself, which is the region `primary`."""

    id: UUID
    name: str
    display_name: str
    icon_url: str
    healthy: bool
    path_app_url: str
    wildcard_hostname: str


class WorkspaceProxy(Region):
    derp_enabled: bool
    derp_only: bool
    status: WorkspaceProxyStatus
    created_at: datetime
    updated_at: datetime
    deleted: bool


class SDKWorkspaceProxy(WorkspaceProxy):
    status: SDKWorkspaceProxyStatus
    version: str
    """What the proxy said when it registered."""


class RegionsResponse(WireModel):
    regions: list[Region]


class ProxiesResponse(WireModel):
    regions: list[WorkspaceProxy]


class SDKProxiesResponse(ProxiesResponse):
    regions: list[SDKWorkspaceProxy]  # type: ignore[assignment]


class ProxyWithToken(WireModel):
    """A proxy that was made or changed; `proxy_token` is "" when it kept its token."""

    proxy: SDKWorkspaceProxy
    proxy_token: str = Field(repr=False)


class CreateWorkspaceProxyRequest(WireModel):
    name: str
    display_name: str = ""
    icon: str = ""


class PatchWorkspaceProxy(WireModel):
    """What is absent or null is kept; "" clears a display name or an icon."""

    id: str | None = None
    name: str | None = None
    display_name: str | None = None
    icon: str | None = None
    regenerate_token: bool = False


class RegisterWorkspaceProxyRequest(WireModel):
    access_url: str
    wildcard_hostname: str = ""
    derp_enabled: bool = False
    derp_only: bool = False
    replica_id: str
    hostname: str = ""
    replica_error: str = ""
    replica_relay_address: str = ""
    version: str


class RegisterWorkspaceProxyResponse(WireModel):
    app_security_key: str = Field(repr=False)
    """192 hexadecimal digits: what signs and encrypts the tokens of workspace apps."""
    derp_mesh_key: str = Field(repr=False)
    derp_region_id: int
    derp_map: dict[str, Any] = Field(default_factory=dict)
    """Empty: this server relays no DERP."""
    derp_force_websockets: bool = False
    sibling_replicas: list[Replica]


class DeregisterWorkspaceProxyRequest(WireModel):
    replica_id: str


def _token_header(made: ProxyWithToken) -> Mapping[str, str]:
    return {TOKEN_HEADER: made.proxy_token} if made.proxy_token else {}


def _with_token(status: int) -> Shape[ProxyWithToken]:
    return Shape(
        View(WorkspaceProxy, status, convert=lambda made: made.proxy, headers=_token_header),
        View(ProxyWithToken, status),
    )


PROXY: Final[Shape[SDKWorkspaceProxy]] = Shape(View(WorkspaceProxy), View(SDKWorkspaceProxy))
PROXY_CREATED: Final = _with_token(201)
PROXY_CHANGED: Final = _with_token(200)
PROXIES: Final[Shape[SDKProxiesResponse]] = Shape(
    View(list[ProxiesResponse], convert=lambda answer: [answer]), View(SDKProxiesResponse)
)
REGIONS: Final[Shape[RegionsResponse]] = Shape(View(RegionsResponse))
REGISTERED: Final[Shape[RegisterWorkspaceProxyResponse]] = Shape(View(RegisterWorkspaceProxyResponse, 201))
