"""How replicas are shown."""

from __future__ import annotations

from coder_enterprise.server.storage.replicas import Replica as ReplicaRow
from coder_enterprise.wire.replicas import Replica


def to_wire(row: ReplicaRow) -> Replica:
    """The row comes from the database, so it is not validated again."""
    return Replica.model_construct(
        id=row.id,
        hostname=row.hostname,
        created_at=row.created_at,
        relay_address=row.relay_address,
        region_id=row.region_id,
        error=row.error,
        database_latency=row.database_latency,
    )
