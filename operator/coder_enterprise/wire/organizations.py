"""Organizations, as the API shows them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from coder_enterprise.wire.common import WireModel


class Organization(WireModel):
    id: UUID
    name: str
    display_name: str
    is_default: bool
    created_at: datetime
    updated_at: datetime
