"""Replicas of the API server, as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from coder_enterprise.wire.common import WireModel
from coder_enterprise.wire.profiles import Shape, View


class Replica(WireModel):
    id: UUID
    hostname: str
    created_at: datetime
    relay_address: str
    """Where the other replicas reach this one; "" is nowhere."""
    region_id: int
    error: str
    """Which other replicas it cannot reach, and why; "" is none."""
    database_latency: int
    """Microseconds."""


REPLICAS: Final[Shape[list[Replica]]] = Shape(View(list[Replica]))
