"""Organizations, as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from coder_enterprise.wire.common import WireModel
from coder_enterprise.wire.profiles import Shape, View


class MinimalOrganization(WireModel):
    id: UUID
    name: str
    display_name: str
    icon: str = ""


class Organization(MinimalOrganization):
    """This server keeps no descriptions and no icons of organizations."""

    description: str = ""
    is_default: bool
    created_at: datetime
    updated_at: datetime


ORGANIZATION: Final[Shape[Organization]] = Shape(View(Organization))
ORGANIZATIONS: Final[Shape[list[Organization]]] = Shape(View(list[Organization]))
