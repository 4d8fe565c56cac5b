"""How workspaces are shown."""

from __future__ import annotations

from collections.abc import Sequence

from coder_enterprise.server.services import build_views
from coder_enterprise.server.storage import workspace_builds as build_rows
from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.workspaces import Workspace as WorkspaceRow
from coder_enterprise.wire.workspaces import Workspace, WorkspaceHealth


def to_wire(connection: Connection, rows: Sequence[WorkspaceRow]) -> list[Workspace]:
    latest = build_rows.latest(connection, [row.id for row in rows])
    shown = build_views.to_wire(connection, [(row, latest[row.id]) for row in rows])
    return [
        Workspace.model_construct(
            id=row.id,
            created_at=row.created_at,
            updated_at=row.updated_at,
            owner_id=row.owner_id,
            owner_name=row.owner_name,
            owner_avatar_url=row.owner_avatar_url,
            organization_id=row.organization_id,
            organization_name=row.organization_name,
            template_id=row.template_id,
            template_name=row.template_name,
            template_display_name=row.template_display_name,
            template_icon=row.template_icon,
            template_allow_user_cancel_workspace_jobs=row.template_settings.get(
                "allow_user_cancel_workspace_jobs", True
            ),
            template_active_version_id=row.template_active_version_id,
            template_require_active_version=row.template_settings.get("require_active_version", False),
            template_use_classic_parameter_flow=row.template_settings.get("use_classic_parameter_flow", True),
            latest_build=build,
            outdated=build.template_version_id != row.template_active_version_id,
            name=row.name,
            last_used_at=build.created_at,
            autostart_schedule=row.autostart_schedule,
            ttl_ms=row.ttl_ms,
            dormant_at=row.dormant_at,
            health=WorkspaceHealth(),
        )
        for row, build in zip(rows, shown, strict=True)
    ]


def one(connection: Connection, row: WorkspaceRow) -> Workspace:
    return to_wire(connection, [row])[0]
