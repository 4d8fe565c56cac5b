"""What can be said of the whole deployment: how many workspaces do what."""

from __future__ import annotations

from coder_enterprise.server import access
from coder_enterprise.server.access import Action, Actor, Kind, Subject
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.storage import workspaces
from coder_enterprise.server.storage.database import Database
from coder_enterprise.server.storage.workspaces import Latest
from coder_enterprise.wire.deployment import DeploymentStats, WorkspaceStats


class Observations:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def stats(self, actor: Actor) -> DeploymentStats:
        """Raises `Forbidden`."""
        access.require(actor, Action.READ, Subject(Kind.DEPLOYMENT))
        counted = await self._database.read(workspaces.count_by_latest_build)
        moment = now()
        found = WorkspaceStats()
        for latest, count in counted.items():
            state = _state(latest)
            setattr(found, state, getattr(found, state) + count)
        return DeploymentStats(aggregated_from=moment, collected_at=moment, next_update_at=moment, workspaces=found)


def _state(latest: Latest) -> str:
    """The field of `WorkspaceStats`. One whose build was canceled or deletes it is as it was before: stopped."""
    if not latest.started and not latest.completed:
        return "pending"
    if not latest.completed:
        return "building"
    if latest.failed:
        return "failed"
    return "running" if latest.transition == "start" and not latest.canceled else "stopped"
