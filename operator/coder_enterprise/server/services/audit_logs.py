"""Reads what `audit` has noted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time
from typing import Any, Final
from uuid import UUID

from coder_enterprise.server import access, names
from coder_enterprise.server.access import Action, Actor, Kind, Subject
from coder_enterprise.server.errors import invalid
from coder_enterprise.server.services import search
from coder_enterprise.server.services.paging import Page
from coder_enterprise.server.services.people import to_wire
from coder_enterprise.server.storage import audit, users
from coder_enterprise.server.storage.audit import Entry, Filter, Record
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.server.storage.organizations import Organization
from coder_enterprise.server.storage.periods import Period
from coder_enterprise.wire.audit import (
    ACTIONS,
    BUILD_REASONS,
    RESOURCE_TYPES,
    AuditLog,
    AuditLogResponse,
    Difference,
)
from coder_enterprise.wire.organizations import MinimalOrganization
from coder_enterprise.wire.users import SDKUser

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1000
"""Entries of one page."""
MAX_COUNT: Final = 10_000
"""More are not counted."""
KEYS: Final = (
    "resource_type",
    "resource_id",
    "resource_target",
    "action",
    "username",
    "email",
    "organization",
    "request_id",
    "date_from",
    "date_to",
    "build_reason",
)

_NO_ID: Final = UUID(int=0)
_VERBS: Final = {"create": "created", "write": "updated", "delete": "deleted", "login_failed": "failed to log in as"}
_STATUSES: Final = {"create": 201, "register": 201, "login": 201, "login_failed": 401}


class AuditLogs:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, actor: Actor, query: str, page: Page) -> AuditLogResponse:
        """Newest first, at most `MAX_LIMIT`. Raises `Forbidden`, and `BadRequest` for a query that cannot be read."""
        access.require(actor, Action.READ, Subject(Kind.AUDIT_LOG))
        values = search.parse(query, KEYS)
        which = _parse(values)

        def work(connection: Connection) -> AuditLogResponse:
            home_id = search.organization(connection, values.get("organization"))
            wanted = which._replace(organization_id=home_id)
            limit = min(page.limit or DEFAULT_LIMIT, MAX_LIMIT)
            logs = _all_to_wire(connection, audit.page(connection, wanted, limit, page.offset))
            return AuditLogResponse.model_construct(audit_logs=logs, count=audit.count(connection, wanted, MAX_COUNT))

        return await self._database.read(work)


def _parse(values: Mapping[str, str]) -> Filter:
    """`username:olivia action:delete group`: the free term is the type of a resource. Raises `BadRequest`."""
    resource_type = values.get("resource_type", values.get(search.FREE))
    return Filter(
        resource_type=search.choice("resource_type", resource_type, RESOURCE_TYPES),
        resource_id=values.get("resource_id", ""),
        resource_name=values.get("resource_target", ""),
        action=search.choice("action", values.get("action"), ACTIONS),
        username=values.get("username", ""),
        email=values.get("email", ""),
        request_id=values.get("request_id", ""),
        time=_days(values),
        build_reason=search.choice("build_reason", values.get("build_reason"), BUILD_REASONS),
    )


def _days(values: Mapping[str, str]) -> Period:
    """Both days belong to it, as they are in UTC. Raises `BadRequest`."""
    first, last = (_midnight(key, values.get(key)) for key in ("date_from", "date_to"))
    return Period(first, datetime.combine(last, time.max, UTC) if last else None)


def _midnight(key: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise invalid(q=f"{key} must be a day such as 2026-01-31, not {text!r}") from None


def _all_to_wire(connection: Connection, records: Sequence[Record]) -> list[AuditLog]:
    joined = users.organizations_of(connection, list({record.user.id for record in records if record.user}))
    gone = _gone(connection, [record.entry for record in records])
    return [
        _to_wire(
            record.entry,
            to_wire(record.user, joined[record.user.id]) if record.user else None,
            record.organization,
            is_deleted=record.entry.id in gone,
        )
        for record in records
    ]


def _gone(connection: Connection, entries: Sequence[Entry]) -> set[int]:
    """Those whose resource is not there any more: with one query for each type."""
    by_type: dict[str, dict[int, UUID]] = defaultdict(dict)
    for entry in entries:
        if resource_id := names.as_uuid(entry.resource_id):
            by_type[entry.resource_type][entry.id] = resource_id
    gone: set[int] = set()
    for resource_type, ids in by_type.items():
        found = audit.existing(connection, resource_type, set(ids.values()))
        if found is not None:
            gone |= {entry_id for entry_id, resource_id in ids.items() if resource_id not in found}
    return gone


def _to_wire(entry: Entry, user: SDKUser | None, home: Organization | None, *, is_deleted: bool) -> AuditLog:
    who = user.username if user else "Somebody" if entry.ip else "The server"
    verb = _VERBS.get(entry.action, entry.action)
    ids = {"resource_id": entry.resource_id, "request_id": entry.request_id}
    known = {name: names.as_uuid(text) for name, text in ids.items()}
    return AuditLog.model_construct(
        id=UUID(int=entry.id),
        time=entry.time,
        resource_type=entry.resource_type,
        resource_id=known["resource_id"] or _NO_ID,
        resource_target=entry.resource_name,
        action=entry.action,
        diff=_difference(entry.before or {}, entry.after or {}),
        description=f"{who} {verb} {entry.resource_type.replace('_', ' ')} {entry.resource_name}".rstrip(),
        user=user,
        ip=entry.ip,
        user_agent=entry.user_agent,
        request_id=known["request_id"] or _NO_ID,
        status_code=_STATUSES.get(entry.action, 200) if entry.ip else 0,
        organization_id=entry.organization_id or _NO_ID,
        organization=MinimalOrganization(id=home.id, name=home.name, display_name=home.display_name) if home else None,
        is_deleted=is_deleted,
        additional_fields={name: text for name, text in ids.items() if text and known[name] is None},
    )


def _difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Difference]:
    return {
        field: Difference(old=before.get(field), new=after.get(field))
        for field in sorted({*before, *after})
        if before.get(field) != after.get(field)
    }
