"""Answers what an actor may do in Coder's words, from the same table that every request is held to.

What Coder has and this server has not, nobody may. Roles are for the whole site here, so that organizations make no
difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from coder_enterprise.server import access, names
from coder_enterprise.server.access import Action, Actor, Kind, Subject, Whom
from coder_enterprise.server.errors import BadRequest, NotFound, RequestError
from coder_enterprise.server.services import references
from coder_enterprise.server.services.template_access import visible
from coder_enterprise.server.storage import groups, users, workspaces
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.wire.authorization import AuthorizationCheck, AuthorizationRequest

MAX_CHECKS: Final = 100
_KINDS: Final[Mapping[str, Kind]] = {
    "user": Kind.USER,
    "organization_member": Kind.MEMBERSHIP,
    "group": Kind.GROUP,
    "license": Kind.LICENSE,
    "template": Kind.TEMPLATE,
    "file": Kind.FILE,
    "workspace": Kind.WORKSPACE,
    "api_key": Kind.API_KEY,
    "audit_log": Kind.AUDIT_LOG,
    "workspace_proxy": Kind.PROXY,
    "replicas": Kind.REPLICA,
    "provisioner_daemon": Kind.PROVISIONER_DAEMON,
    "provisioner_jobs": Kind.PROVISIONER_JOB,
    "deployment_stats": Kind.DEPLOYMENT,
}
_ACTIONS: Final[Mapping[str, Action]] = {
    "create": Action.CREATE,
    "read": Action.READ,
    "update": Action.UPDATE,
    "delete": Action.DELETE,
    "read_personal": Action.READ,
    "update_personal": Action.UPDATE,
    "use": Action.READ,
}
_OTHER: Final[Mapping[tuple[str, str], tuple[Kind, Action]]] = {
    ("assign_role", "assign"): (Kind.USER, Action.ASSIGN),
    ("assign_role", "unassign"): (Kind.USER, Action.ASSIGN),
    ("deployment_config", "read"): (Kind.DEPLOYMENT, Action.READ),
    ("deployment_config", "update"): (Kind.APPEARANCE, Action.UPDATE),
    ("organization_member", "read"): (Kind.USER, Action.READ),
    ("workspace", "start"): (Kind.WORKSPACE, Action.UPDATE),
    ("workspace", "stop"): (Kind.WORKSPACE, Action.UPDATE),
    ("workspace", "delete"): (Kind.WORKSPACE, Action.UPDATE),
}
"""Where Coder's words are for something that is called otherwise here."""
_EVERYBODYS: Final = frozenset(
    {("organization", "read"), ("assign_role", "read"), ("assign_org_role", "read"), ("provisioner_daemon", "read")}
)
"""What everybody who is signed in is shown, and the table says nothing of."""


class Authorization:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def check(self, actor: Actor, request: AuthorizationRequest) -> dict[str, bool]:
        """Whether the actor may do each of what they ask for, by their names for it. Raises `BadRequest`."""
        if len(request.checks) > MAX_CHECKS:
            raise BadRequest(f"At most {MAX_CHECKS} checks can be asked for at once.")

        def work(connection: Connection) -> dict[str, bool]:
            return {name: _may(connection, actor, check) for name, check in request.checks.items()}

        return await self._database.read(work)


def _may(connection: Connection, actor: Actor, check: AuthorizationCheck) -> bool:
    asked = check.object.resource_type, check.action
    if asked in _EVERYBODYS:
        return True
    kind, action = _OTHER.get(asked) or (_KINDS.get(asked[0]), _ACTIONS.get(asked[1]))
    if kind is None or action is None:
        return False
    try:
        return access.may(actor, action, _subject(connection, actor, kind, check))
    except RequestError:  # what they do not see, they may nothing with
        return False


def _subject(connection: Connection, actor: Actor, kind: Kind, check: AuthorizationCheck) -> Subject:
    """Raises `NotFound` for one that is named and not there, or not for the actor to see."""
    if check.object.resource_id:
        return _named(connection, actor, kind, references.uuid_parameter("resource_id", check.object.resource_id))
    owner_id = actor.id if check.object.owner_id == references.ME else names.as_uuid(check.object.owner_id)
    owner = users.get(connection, owner_id) if owner_id else None
    return Subject(kind, owner_id, frozenset(owner.roles if owner else ()))


def _named(connection: Connection, actor: Actor, kind: Kind, resource_id: UUID) -> Subject:
    match kind:
        case Kind.USER:
            return references.person(references.user(connection, actor, str(resource_id)))
        case Kind.TEMPLATE:
            row = visible(connection, actor, resource_id)
            return Subject(kind, ties=frozenset({Whom.SHARED} | ({Whom.ADMINISTERED} if row.administered else set())))
        case Kind.GROUP:
            if groups.get(connection, resource_id) is None:
                raise NotFound
            is_shared = resource_id in groups.group_ids_of(connection, actor.id)
            return Subject(kind, ties=frozenset({Whom.SHARED} if is_shared else ()))
        case Kind.WORKSPACE:
            workspace = workspaces.get(connection, resource_id)
            if workspace is None or workspace.deleted:
                raise NotFound
            return Subject(kind, workspace.owner_id)
        case _:
            return Subject(kind)
