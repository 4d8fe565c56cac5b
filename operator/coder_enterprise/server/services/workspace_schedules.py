"""When workspaces are to start and stop by themselves, and which are dormant.

Kept and shown: no worker of this server starts or stops a workspace. One that is dormant is started by nobody until it
is woken, which is Coder's rule, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from coder_enterprise.server.access import Actor
from coder_enterprise.server.services import audit, references, workspace_access, workspace_views
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.workspace_times import autostart, ttl
from coder_enterprise.server.storage import workspaces
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.server.storage.workspaces import Workspace as WorkspaceRow
from coder_enterprise.wire.workspaces import Workspace

_Change = Callable[[WorkspaceRow], Mapping[str, Any]]
"""The fields' new values."""


class WorkspaceSchedules:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def set_autostart(self, actor: Actor, reference: str, schedule: str | None) -> None:
        """Raises `BadRequest` for what is no id and no weekly schedule, `NotFound`, and `Forbidden`."""
        await self._change(
            actor,
            reference,
            lambda row: {"autostart_schedule": autostart(schedule, row.template_settings, "schedule")},
        )

    async def set_ttl(self, actor: Actor, reference: str, milliseconds: int | None) -> None:
        """Raises `BadRequest` for what is no id and no such time, `NotFound`, and `Forbidden`."""
        await self._change(actor, reference, lambda row: {"ttl_ms": ttl(milliseconds, row.template_settings)})

    async def set_dormant(self, actor: Actor, reference: str, *, dormant: bool) -> Workspace | None:
        """None when it is so already. Raises `BadRequest` for what is no id, `NotFound`, and `Forbidden`."""

        def change(row: WorkspaceRow) -> Mapping[str, Any]:
            if dormant == (row.dormant_at is not None):
                return {}
            return {"dormant_at": now() if dormant else None}

        return await self._change(actor, reference, change)

    async def _change(self, actor: Actor, reference: str, change: _Change) -> Workspace | None:
        """None when nothing is different then."""
        workspace_id = references.uuid_parameter("workspace", reference)
        return await self._database.write_as(
            actor, lambda connection, actor: _write(connection, actor, workspace_id, change)
        )


def _write(connection: Connection, actor: Actor, workspace_id: UUID, change: _Change) -> Workspace | None:
    row = workspace_access.changeable(connection, actor, workspace_id)
    values = change(row)
    changed = row._replace(**values)
    if changed == row:
        return None
    changed = changed._replace(updated_at=now())
    workspaces.update_fields(connection, row.id, {**values, "updated_at": changed.updated_at})
    audit.record(
        connection,
        actor.id,
        "write",
        ("workspace", row.id, row.name),
        before=_shown(row, values),
        after=_shown(changed, values),
        organization_id=row.organization_id,
    )
    return workspace_views.one(connection, changed)


def _shown(row: WorkspaceRow, names: Mapping[str, Any]) -> dict[str, str | None]:
    return {name: None if getattr(row, name) is None else str(getattr(row, name)) for name in names}
