"""Notes who changed what, in the transaction of the change. Called by every service that writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from coder_enterprise.server.context import client_address, request_id, user_agent
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.storage import audit
from coder_enterprise.server.storage.database import Connection

MAX_USER_AGENT: Final = 256
"""Characters."""


def record(
    connection: Connection,
    actor_id: UUID | None,
    action: str,
    resource: tuple[str, object, str],
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    organization_id: UUID | None = None,
) -> None:
    """`resource` is type, id and name; `before` and `after` hold only what may be shown: no hash, no token.

    `actor_id` None is the server itself, or somebody who is not known; `organization_id` where the resource is in one.
    Where the request comes from is noted besides.
    """
    kind, resource_id, name = resource
    audit.record(
        connection,
        time=now(),
        user_id=actor_id,
        action=action,
        resource_type=kind,
        resource_id=resource_id,
        resource_name=name,
        before=before,
        after=after,
        ip=client_address.get(),
        request_id=request_id.get(),
        user_agent=user_agent.get()[:MAX_USER_AGENT],
        organization_id=organization_id,
    )
