"""Members of an organization, as the API shows them.

The contract page has none of these; names and types are those of Coder's Go SDK.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from coder_enterprise.wire.common import WireModel
from coder_enterprise.wire.profiles import Shape, View
from coder_enterprise.wire.users import Role


class Member(WireModel):
    user_id: UUID
    organization_id: UUID
    created_at: datetime
    """Since when."""
    updated_at: datetime
    roles: list[Role]
    """In the organization."""


class MemberWithUser(Member):
    username: str
    name: str
    avatar_url: str
    email: str
    global_roles: list[Role]


MEMBER: Final[Shape[Member]] = Shape(View(Member))
MEMBERS: Final[Shape[list[MemberWithUser]]] = Shape(View(list[MemberWithUser]))
