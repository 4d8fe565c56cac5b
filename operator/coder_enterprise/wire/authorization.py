"""What clients ask about their own rights, with the names of Coder's Go SDK."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from coder_enterprise.wire.common import WireModel
from coder_enterprise.wire.profiles import Shape, View


class AuthorizationObject(WireModel):
    resource_type: str
    owner_id: str = ""
    """An id, or `me`."""
    organization_id: str = ""
    resource_id: str = ""
    any_org: bool = False


class AuthorizationCheck(WireModel):
    object: AuthorizationObject
    action: str


class AuthorizationRequest(WireModel):
    checks: dict[str, AuthorizationCheck] = Field(default_factory=dict)


AUTHORIZATION: Final[Shape[dict[str, bool]]] = Shape(View(dict[str, bool]))
