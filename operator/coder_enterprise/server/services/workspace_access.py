"""Who sees a workspace, and who may change it: asked by every service that has to do with one."""

from __future__ import annotations

from uuid import UUID

from coder_enterprise.server import access
from coder_enterprise.server.access import Action, Actor, Kind, Subject
from coder_enterprise.server.errors import NotFound
from coder_enterprise.server.services import references
from coder_enterprise.server.storage import workspaces
from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.workspaces import Workspace


def visible(connection: Connection, actor: Actor, workspace_id: UUID) -> Workspace:
    """Raises `NotFound`."""
    row = readable(connection, actor, workspace_id)
    if row.deleted:
        raise NotFound
    return row


def named(connection: Connection, actor: Actor, user: str, name: str, *, deleted: bool = False) -> Workspace:
    """The user's workspace; with `deleted` also one that is not there any more.

    Raises `BadRequest` for the user, and `NotFound`.
    """
    owner = references.user(connection, actor, user)
    row = workspaces.by_name(connection, owner.id, name)
    if row is None or not access.sees(actor, subject_of(row)) or (row.deleted and not deleted):
        raise NotFound
    return row


def changeable(connection: Connection, actor: Actor, workspace_id: UUID) -> Workspace:
    """Raises `NotFound`, and `Forbidden` for one who may only read."""
    row = visible(connection, actor, workspace_id)
    access.require(actor, Action.UPDATE, subject_of(row))
    return row


def subject_of(row: Workspace) -> Subject:
    return Subject(Kind.WORKSPACE, row.owner_id)


def readable(connection: Connection, actor: Actor, workspace_id: UUID) -> Workspace:
    """Also one that is deleted. Raises `NotFound`."""
    row = workspaces.get(connection, workspace_id)
    if row is None or not access.sees(actor, subject_of(row)):
        raise NotFound
    return row
