"""Groups, as the API shows them, and the requests that make and change them."""

from __future__ import annotations

from typing import Final, Literal
from uuid import UUID

from coder_enterprise.wire.common import SDKResponse, WireModel
from coder_enterprise.wire.profiles import Shape, View
from coder_enterprise.wire.users import SDKUser, User

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


class SDKGroup(Group):
    members: list[SDKUser]  # type: ignore[assignment]
    total_member_count: int
    organization_name: str
    organization_display_name: str


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


GROUP: Final[Shape[SDKGroup]] = Shape(View(Group), View(SDKGroup))
GROUP_CREATED: Final[Shape[SDKGroup]] = Shape(View(Group, 201), View(SDKGroup, 201))
GROUP_DELETED: Final[Shape[SDKGroup]] = Shape(
    View(Group), View(SDKResponse, convert=lambda _: SDKResponse(message="Successfully deleted group!"))
)
GROUPS: Final[Shape[list[SDKGroup]]] = Shape(View(list[Group]), View(list[SDKGroup]))
