"""Groups, as the API shows them, and the requests that make and change them."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from coder_enterprise.wire.common import WireModel
from coder_enterprise.wire.users import User

GroupSource = Literal["user", "oidc"]


class Group(WireModel):
    id: UUID
    name: str
    display_name: str
    organization_id: UUID
    members: list[User]
    avatar_url: str
    quota_allowance: int
    source: GroupSource


class CreateGroupRequest(WireModel):
    name: str
    display_name: str = ""
    avatar_url: str = ""
    quota_allowance: int = 0


class PatchGroupRequest(WireModel):
    """What is absent or null is kept; "" clears a display name or an avatar."""

    add_users: list[str] | None = None
    remove_users: list[str] | None = None
    name: str | None = None
    display_name: str | None = None
    avatar_url: str | None = None
    quota_allowance: int | None = None
