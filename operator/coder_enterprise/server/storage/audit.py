"""Who changed what: one row per change, in the transaction of the change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import BindParameter, Row, Select, bindparam, false, func, insert, select

from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.organizations import Organization
from coder_enterprise.server.storage.periods import ALWAYS, Period, within
from coder_enterprise.server.storage.prepared import Prepared
from coder_enterprise.server.storage.schema import (
    audit_log,
    files,
    groups,
    organizations,
    provisioner_daemons,
    provisioner_keys,
    proxies,
    template_versions,
    templates,
    users,
    workspace_builds,
    workspaces,
)
from coder_enterprise.server.storage.users import COLUMNS, User

BY_HAND: Final = "initiator"
"""The reason of a build that somebody asked for."""

_INSERT = Prepared(insert(audit_log).values({column.name: bindparam(column.name) for column in audit_log.c[1:]}))
"""The database counts the first column itself."""


def record(
    connection: Connection,
    *,
    time: datetime,
    user_id: UUID | None,
    action: str,
    resource_type: str,
    resource_id: object,
    resource_name: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    ip: str = "",
    request_id: str = "",
    user_agent: str = "",
    organization_id: UUID | None = None,
) -> None:
    """`before` and `after` hold only what may be shown: no hash, no token."""
    _INSERT.run(
        connection,
        {
            "time": time,
            "user_id": user_id,
            "action": action,
            "resource_type": resource_type,
            "resource_id": str(resource_id),
            "resource_name": resource_name,
            "before": before,
            "after": after,
            "ip": ip,
            "request_id": request_id,
            "user_agent": user_agent,
            "organization_id": organization_id,
        },
    )


class Entry(NamedTuple):
    id: int
    time: datetime
    user_id: UUID | None
    action: str
    resource_type: str
    resource_id: str
    resource_name: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    ip: str
    request_id: str
    user_agent: str
    organization_id: UUID | None


class Record(NamedTuple):
    """An entry with what it is about."""

    entry: Entry
    user: User | None
    """Who did it: None is the server itself, or somebody who is not known."""
    organization: Organization | None


class Filter(NamedTuple):
    """Which entries a list holds, in lower case; empty means all."""

    resource_type: str = ""
    resource_id: str = ""
    resource_name: str = ""
    action: str = ""
    username: str = ""
    email: str = ""
    request_id: str = ""
    organization_id: UUID | None = None
    time: Period = ALWAYS
    build_reason: str = ""
    """Why a workspace was built."""


_JOINED = audit_log.outerjoin(users, users.c.id == audit_log.c.user_id).outerjoin(
    organizations, organizations.c.id == audit_log.c.organization_id
)
_PAGE = select(audit_log, *COLUMNS, *organizations.c).select_from(_JOINED).order_by(audit_log.c.id.desc())
_IDS = select(audit_log.c.id)
_AMONG: BindParameter[Any] = bindparam("ids", expanding=True)
_EXISTING: Mapping[str, Select[Any]] = {
    "file": select(files.c.id).where(files.c.id.in_(_AMONG)),
    "group": select(groups.c.id).where(groups.c.id.in_(_AMONG)),
    "provisioner_daemon": select(provisioner_daemons.c.id).where(provisioner_daemons.c.id.in_(_AMONG)),
    "provisioner_key": select(provisioner_keys.c.id).where(provisioner_keys.c.id.in_(_AMONG)),
    "template": select(templates.c.id).where(templates.c.id.in_(_AMONG), templates.c.name_key.is_not(None)),
    "template_version": select(template_versions.c.id).where(template_versions.c.id.in_(_AMONG)),
    "user": select(users.c.id).where(users.c.id.in_(_AMONG), ~users.c.deleted),
    "workspace": select(workspaces.c.id).where(workspaces.c.id.in_(_AMONG), workspaces.c.name_key.is_not(None)),
    "workspace_build": select(workspace_builds.c.id)
    .join(workspaces, workspaces.c.id == workspace_builds.c.workspace_id)
    .where(workspace_builds.c.id.in_(_AMONG), workspaces.c.name_key.is_not(None)),
    "workspace_proxy": select(proxies.c.id).where(proxies.c.id.in_(_AMONG), ~proxies.c.deleted),
}
"""Of those ids the ones whose resource is there, by its type."""


def page(connection: Connection, which: Filter, limit: int, offset: int) -> list[Record]:
    """Newest first."""
    rows = connection.execute(_filtered(_PAGE, which).limit(limit).offset(offset))
    return [_record(row) for row in rows]


def _record(row: Row[Any]) -> Record:
    ours, theirs = len(Entry._fields), len(Entry._fields) + len(COLUMNS)
    user = User(*row[ours:theirs]) if row[ours] else None
    return Record(Entry(*row[:ours]), user, Organization(*row[theirs:]) if row[theirs] else None)


def count(connection: Connection, which: Filter, limit: int) -> int:
    """At most `limit`: it is not worth looking at more."""
    found = _filtered(_IDS, which).limit(limit).subquery()
    return int(connection.execute(select(func.count()).select_from(found)).scalar_one())


def existing(connection: Connection, resource_type: str, ids: Iterable[UUID]) -> set[UUID] | None:
    """Those of the resources that are there; None for a type of which that cannot be said."""
    query = _EXISTING.get(resource_type)
    return None if query is None else set(connection.execute(query, {"ids": list(ids)}).scalars())


def _filtered(query: Select[Any], which: Filter) -> Select[Any]:
    exact = {
        audit_log.c.resource_type: which.resource_type,
        audit_log.c.resource_id: which.resource_id,
        func.lower(audit_log.c.resource_name): which.resource_name,
        audit_log.c.action: which.action,
        func.lower(audit_log.c.request_id): which.request_id,
        audit_log.c.organization_id: which.organization_id,
    }
    query = query.where(*(column == value for column, value in exact.items() if value))
    for column, value in ((users.c.username, which.username), (users.c.email, which.email)):
        if value:
            query = query.where(audit_log.c.user_id.in_(select(users.c.id).where(func.lower(column) == value)))
    if which.build_reason:  # people start builds here, and nobody else
        is_build = audit_log.c.resource_type == "workspace_build"
        query = query.where(is_build if which.build_reason == BY_HAND else false())
    return within(query, audit_log.c.time, which.time)
