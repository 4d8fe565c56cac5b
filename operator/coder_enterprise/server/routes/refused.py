"""Routes of licensed features that this server has not: refused as Coder refuses what no licence enables.

So clients tell them from an address that is wrong, and what they say of it is true. `app` serves them, and the page on
compatibility lists them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, Depends

from coder_enterprise.server.errors import Forbidden
from coder_enterprise.server.routes.dependencies import API, Authenticated
from coder_enterprise.wire.entitlements import Feature

REFUSED: Final[Mapping[tuple[str, str], Feature]] = {
    ("POST", "/organizations"): Feature.MULTIPLE_ORGANIZATIONS,
    ("PATCH", "/organizations/{organization}"): Feature.MULTIPLE_ORGANIZATIONS,
    ("DELETE", "/organizations/{organization}"): Feature.MULTIPLE_ORGANIZATIONS,
    ("POST", "/organizations/{organization}/members/roles"): Feature.CUSTOM_ROLES,
    ("PUT", "/organizations/{organization}/members/roles"): Feature.CUSTOM_ROLES,
    ("DELETE", "/organizations/{organization}/members/roles/{role}"): Feature.CUSTOM_ROLES,
    ("GET", "/connectionlog"): Feature.CONNECTION_LOG,
    ("GET", "/prebuilds/settings"): Feature.WORKSPACE_PREBUILDS,
    ("PUT", "/prebuilds/settings"): Feature.WORKSPACE_PREBUILDS,
    ("POST", "/templates/{template}/prebuilds/invalidate"): Feature.WORKSPACE_PREBUILDS,
    ("GET", "/workspaces/{workspace}/external-agent/{agent}/credentials"): Feature.WORKSPACE_EXTERNAL_AGENT,
    ("GET", "/ai-gateway/keys"): Feature.AIBRIDGE,
    ("POST", "/ai-gateway/keys"): Feature.AIBRIDGE,
    ("DELETE", "/ai-gateway/keys/{key}"): Feature.AIBRIDGE,
    ("GET", "/agent-firewall/sessions/{session}"): Feature.BOUNDARY,
    ("GET", "/agent-firewall/sessions/{session}/logs"): Feature.BOUNDARY,
}

router = APIRouter(prefix=API, include_in_schema=False)


def _refusal(feature: Feature) -> Any:
    async def refuse(caller: Authenticated) -> None:
        detail = f"No licence switches {feature} on here; GET /entitlements lists the features that are on."
        raise Forbidden(f"{feature.label} is a licensed feature that this server does not have.", detail)

    return Depends(refuse)


async def _never() -> None:
    raise AssertionError("refused before")


for (_method, _path), _feature in REFUSED.items():
    router.add_api_route(_path, _never, methods=[_method], dependencies=[_refusal(_feature)])
