"""Session tokens of workspaces' owners, for what runs in their workspaces.

As in Coder, a workspace that starts gets one, templates can read it, and it ends when the workspace stops, is deleted,
or starts again. Called in the transaction that gives a build to a daemon.
"""

from __future__ import annotations

from uuid import UUID

from coder_enterprise.server.services import audit
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.session_tokens import MAX_LIFETIME, new_token, token_key
from coder_enterprise.server.storage import api_keys
from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.users import User
from coder_enterprise.server.storage.workspaces import Workspace


def begin(connection: Connection, workspace: Workspace, owner: User, initiator_id: UUID) -> str:
    """The token; "" for an owner who may have none: who is suspended or deleted."""
    if owner.deleted or owner.status == "suspended":
        return ""
    token = new_token()
    key = token_key(token, owner.id, _name(workspace), MAX_LIFETIME, now())
    api_keys.create(connection, key)
    shown = {"purpose": key.purpose, "name": key.name, "lifetime_seconds": key.lifetime_seconds}
    audit.record(connection, initiator_id, "create", ("api_key", key.id, owner.username), after=shown)
    return token


def end(connection: Connection, workspace: Workspace, initiator_id: UUID) -> None:
    """If there is one."""
    key = api_keys.by_name(connection, workspace.owner_id, _name(workspace))
    if key is not None:
        api_keys.remove(connection, key.id)
        shown = {"purpose": key.purpose, "name": key.name}
        audit.record(connection, initiator_id, "delete", ("api_key", key.id, workspace.owner_name), before=shown)


def _name(workspace: Workspace) -> str:
    return f"{workspace.id}_session_token"
