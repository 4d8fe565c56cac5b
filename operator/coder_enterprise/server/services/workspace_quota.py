"""How many credits a day a user may spend on workspaces, and spends.

It is asked by people, and by the jobs of builds before they make what costs.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from coder_enterprise.server.access import Actor
from coder_enterprise.server.services import references
from coder_enterprise.server.services.entitlements import Entitlements, Feature
from coder_enterprise.server.storage import groups, workspace_builds
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.wire.workspaces import WorkspaceQuota

UNLIMITED: Final = -1


class WorkspaceQuotas:
    def __init__(self, database: Database, entitlements: Entitlements) -> None:
        self._database = database
        self._entitlements = entitlements

    async def get(self, actor: Actor, user: str, organization: str | None = None) -> WorkspaceQuota:
        """None is every organization. Raises `BadRequest` for an unknown user, `NotFound` for the organization."""
        limited = is_limited(self._entitlements)

        def work(connection: Connection) -> WorkspaceQuota:
            home = references.organization(connection, organization).id if organization is not None else None
            return quota(connection, references.user(connection, actor, user).id, home, limited=limited)

        return await self._database.read(work)


def is_limited(entitlements: Entitlements) -> bool:
    """Without groups that have allowances nothing is limited."""
    return entitlements.enabled(Feature.TEMPLATE_RBAC)


def quota(connection: Connection, user_id: UUID, organization_id: UUID | None, *, limited: bool) -> WorkspaceQuota:
    return WorkspaceQuota.model_construct(
        credits_consumed=workspace_builds.consumed(connection, user_id, organization_id),
        budget=groups.allowance(connection, user_id, organization_id) if limited else UNLIMITED,
    )
