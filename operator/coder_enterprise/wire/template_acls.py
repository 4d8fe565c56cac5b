"""Who may use and administer a template, as the API shows it, and the request that changes it."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from coder_enterprise.wire.common import WireModel
from coder_enterprise.wire.groups import Group, SDKGroup
from coder_enterprise.wire.profiles import Shape, View
from coder_enterprise.wire.users import SDKUser, User

TemplateRole = Literal["admin", "use"]


class TemplateUser(User):
    role: TemplateRole


class SDKTemplateUser(SDKUser):
    role: TemplateRole


class TemplateGroup(SDKGroup):
    role: TemplateRole


class TemplateACL(WireModel):
    """The page shows the users alone."""

    users: list[SDKTemplateUser]
    group: list[TemplateGroup]


class UpdateTemplateACLRequest(WireModel):
    """Roles by id; "" and null delete an entry, and what is not named is kept."""

    user_perms: dict[str, str | None] = Field(default_factory=dict)
    group_perms: dict[str, str | None] = Field(default_factory=dict)


class ACLAvailable(WireModel):
    groups: list[Group]
    users: list[User]


class SDKACLAvailable(ACLAvailable):
    groups: list[SDKGroup]  # type: ignore[assignment]
    users: list[SDKUser]  # type: ignore[assignment]


TEMPLATE_ACL: Final[Shape[TemplateACL]] = Shape(
    View(list[TemplateUser], convert=lambda acl: acl.users), View(TemplateACL)
)
ACL_AVAILABLE: Final[Shape[SDKACLAvailable]] = Shape(
    View(list[ACLAvailable], convert=lambda available: [available]), View(SDKACLAvailable)
)
