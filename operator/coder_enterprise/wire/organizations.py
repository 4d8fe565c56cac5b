"""Organizations, as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from coder_enterprise.wire.common import WireModel
from coder_enterprise.wire.profiles import Shape, View


class Organization(WireModel):
    id: UUID
    name: str
    display_name: str
    is_default: bool
    created_at: datetime
    updated_at: datetime


ORGANIZATION: Final[Shape[Organization]] = Shape(View(Organization))
ORGANIZATIONS: Final[Shape[list[Organization]]] = Shape(View(list[Organization]))
