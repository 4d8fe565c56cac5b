"""Groups: their names, their quota, and who is in them.

Everyone has its organization's id and its organization's members, and cannot be
renamed, filled or deleted. The order of the checks in `_patch` is Coder's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid4

from coder_enterprise.server import access, names
from coder_enterprise.server.access import Action, Actor, Kind, Subject, Whom
from coder_enterprise.server.errors import BadRequest, Forbidden, NotFound, RequestError, invalid, taken
from coder_enterprise.server.services import audit, group_members, references
from coder_enterprise.server.services.default_organization import EVERYONE
from coder_enterprise.server.services.entitlements import Entitlements, Feature
from coder_enterprise.server.services.group_views import _group, all_to_wire, one, with_members
from coder_enterprise.server.storage import groups, organizations
from coder_enterprise.server.storage.database import Connection, Database, Duplicate
from coder_enterprise.server.storage.groups import Group as GroupRow
from coder_enterprise.wire.groups import CreateGroupRequest, PatchGroupRequest, SDKGroup

MAX_NAME: Final = 255
MAX_DISPLAY_NAME: Final = 64
MAX_URL: Final = 2048
INT32: Final = range(-(2**31), 2**31)
GROUPS: Final = Subject(Kind.GROUP)


class Which(NamedTuple):
    """As it was sent; "" is all."""

    organization: str = ""
    has_member: str = ""
    group_ids: str = ""


class Groups:
    def __init__(self, database: Database, entitlements: Entitlements) -> None:
        self._database = database
        self._entitlements = entitlements

    async def get(self, actor: Actor, reference: str) -> SDKGroup:
        """Raises `BadRequest` for what is no id, and `NotFound`."""
        self._entitlements.require(Feature.TEMPLATE_RBAC)
        group_id = references.uuid_parameter("group", reference)
        found = await self._database.read(groups.with_members(group_id))
        if found is None:
            raise NotFound
        row, members = found
        if row.is_everyone:
            return await self._database.read(
                lambda connection: one(connection, actor, _visible(connection, actor, groups.get(connection, group_id)))
            )
        if not access.sees(actor, _subject(is_member=any(user.id == actor.id for user in members))):
            raise NotFound
        return with_members(actor, row, members)

    async def by_name(self, actor: Actor, organization: str, name: str) -> SDKGroup:
        """Raises `NotFound`."""
        self._entitlements.require(Feature.TEMPLATE_RBAC)

        def work(connection: Connection) -> SDKGroup:
            home = references.organization(connection, organization)
            row = _visible(connection, actor, groups.by_name(connection, home.id, name))
            return one(connection, actor, row)

        return await self._database.read(work)

    async def find(self, actor: Actor, which: Which) -> list[SDKGroup]:
        """Those of all organizations that the actor may see. Raises `BadRequest` for what the filter cannot find."""
        self._entitlements.require(Feature.TEMPLATE_RBAC)
        return await self._database.read(lambda connection: _find(connection, actor, which))

    async def list(self, actor: Actor, organization: str) -> list[SDKGroup]:
        """All that the actor may see, in no order. Raises `NotFound` for the organization."""
        self._entitlements.require(Feature.TEMPLATE_RBAC)

        def work(connection: Connection) -> list[SDKGroup]:
            home = references.organization(connection, organization)
            return all_to_wire(connection, actor, home.id, _seen_of(connection, actor, home.id))

        return await self._database.read(work)

    async def create(self, actor: Actor, organization: str, request: CreateGroupRequest) -> SDKGroup:
        """Raises `Forbidden`, `BadRequest`, `NotFound` for the organization, `Conflict` for a name that is taken."""
        self._entitlements.require(Feature.TEMPLATE_RBAC)
        return await self._database.write_as(
            actor, lambda connection, actor: _create(connection, actor, organization, request)
        )

    async def patch(self, actor: Actor, reference: str, request: PatchGroupRequest) -> SDKGroup:
        """Raises `NotFound`, `Forbidden`, `BadRequest`, and `Conflict` for a name that is taken."""
        self._entitlements.require(Feature.TEMPLATE_RBAC)
        group_id = references.uuid_parameter("group", reference)
        return await self._database.write_as(
            actor, lambda connection, actor: _patch(connection, actor, group_id, request)
        )

    async def delete(self, actor: Actor, reference: str) -> SDKGroup:
        """The group as it was. Raises `NotFound`, `Forbidden`, and `BadRequest` for Everyone."""
        self._entitlements.require(Feature.TEMPLATE_RBAC)
        group_id = references.uuid_parameter("group", reference)
        return await self._database.write_as(actor, lambda connection, actor: _delete(connection, actor, group_id))


def _visible(connection: Connection, actor: Actor, row: GroupRow | None) -> GroupRow:
    if row is None:
        raise NotFound
    if not access.sees(actor, GROUPS):
        is_member = row.id in groups.group_ids_of(connection, actor.id)
        if not access.sees(actor, _subject(is_member=is_member)):
            raise NotFound
    return row


def _subject(*, is_member: bool) -> Subject:
    return Subject(Kind.GROUP, ties=frozenset({Whom.SHARED} if is_member else ()))


def _seen_of(connection: Connection, actor: Actor, organization_id: UUID) -> list[GroupRow]:
    rows = groups.of_organization(connection, organization_id)
    if access.sees(actor, GROUPS):
        return rows
    own = groups.group_ids_of(connection, actor.id)
    return [row for row in rows if row.id in own]


def _find(connection: Connection, actor: Actor, which: Which) -> list[SDKGroup]:
    homes = organizations.all_of(connection)
    if which.organization:
        try:
            homes = [references.organization(connection, which.organization)]
        except NotFound:
            raise invalid(organization="there is no such organization") from None
    wanted = _ids(which.group_ids)
    if which.has_member:
        member = references.user(connection, actor, which.has_member)
        theirs = groups.group_ids_of(connection, member.id)
        wanted = theirs if wanted is None else theirs & wanted
    found: list[SDKGroup] = []
    for home in homes:
        rows = [row for row in _seen_of(connection, actor, home.id) if wanted is None or row.id in wanted]
        if rows:
            found += all_to_wire(connection, actor, home.id, rows)
    return found


def _ids(text: str) -> set[UUID] | None:
    """A list with commas; None for "", which is no condition. Raises `BadRequest`."""
    if not text:
        return None
    return {references.uuid_parameter("group_ids", part.strip()) for part in text.split(",")}


def _create(connection: Connection, actor: Actor, reference: str, request: CreateGroupRequest) -> SDKGroup:
    organization = references.organization(connection, reference)
    access.require(actor, Action.CREATE, GROUPS)
    if request.name == EVERYONE:
        raise invalid(name=f"{EVERYONE} is the name of the group that every organization has")
    problems = _problems(request.model_dump())
    if problems:
        raise invalid(**problems)
    row = GroupRow(
        id=uuid4(),
        organization_id=organization.id,
        name=request.name,
        display_name=request.display_name,
        avatar_url=request.avatar_url,
        quota_allowance=request.quota_allowance,
        source="user",
        organization_name=organization.name,
        organization_display_name=organization.display_name,
    )
    try:
        groups.create(connection, row)
    except Duplicate:
        raise _taken(request.name) from None
    _audit(connection, actor, "create", after=row)
    return _group(row, [], 0)


def _patch(connection: Connection, actor: Actor, group_id: UUID, request: PatchGroupRequest) -> SDKGroup:
    row = _visible(connection, actor, groups.get(connection, group_id))
    access.require(actor, Action.UPDATE, GROUPS)
    values = _changed_values(row, request)
    add, remove = request.add_users or [], request.remove_users or []
    if row.is_everyone:
        _refuse_for_everyone(values, [*add, *remove])
    if values.get("name") == EVERYONE:
        raise invalid(name=f"{EVERYONE} is the name of the group that every organization has")
    problems = _problems(values)
    if problems:
        raise invalid(**problems)
    added, removed = group_members.named(connection, row, add), group_members.named(connection, row, remove)
    changed = row._replace(**values)
    if values:
        try:
            groups.update_fields(connection, row.id, values)
        except Duplicate:
            raise _taken(changed.name) from None
    group_members.add(connection, row, added)
    if removed:
        groups.remove_members(connection, row.id, removed)
    if values or added or removed:
        _audit(connection, actor, "write", before=row, after=changed, added=added, removed=removed)
    return one(connection, actor, changed)


def _changed_values(row: GroupRow, request: PatchGroupRequest) -> dict[str, Any]:
    """Absent and null keep; an empty name keeps, too; the name that it has already is no change."""
    sent = request.model_dump(include={"name", "display_name", "avatar_url", "quota_allowance"}, exclude_none=True)
    if not sent.get("name"):
        sent.pop("name", None)
    return {name: value for name, value in sent.items() if value != getattr(row, name)}


def _refuse_for_everyone(values: Mapping[str, Any], members: Sequence[str]) -> None:
    if "name" in values:
        raise BadRequest(f"Cannot rename the {EVERYONE!r} group.")
    if values.get("display_name"):
        raise BadRequest(f"Cannot update the display name of the {EVERYONE!r} group.")
    if members:
        raise Forbidden(
            f"Cannot change the members of the {EVERYONE!r} group.", "They are the members of its organization."
        )


def _delete(connection: Connection, actor: Actor, group_id: UUID) -> SDKGroup:
    row = _visible(connection, actor, groups.get(connection, group_id))
    access.require(actor, Action.DELETE, GROUPS)
    if row.is_everyone:
        raise BadRequest(f"{EVERYONE!r} is a reserved group and cannot be deleted.")
    group = one(connection, actor, row)
    groups.remove(connection, row.id)
    _audit(connection, actor, "delete", before=row)
    return group


def _problems(values: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with which field."""
    problems: dict[str, str] = {}
    if "name" in values and (problem := names.name_problem(values["name"], MAX_NAME)):
        problems["name"] = problem
    if problem := names.text_problem(values.get("display_name") or "", MAX_DISPLAY_NAME):
        problems["display_name"] = problem
    if len(values.get("avatar_url") or "") > MAX_URL:
        problems["avatar_url"] = f"must have at most {MAX_URL} characters"
    if (values.get("quota_allowance") or 0) not in INT32:
        problems["quota_allowance"] = "must fit into 32 bits"
    return problems


def _taken(name: str) -> RequestError:
    return taken(f"A group named {name!r} already exists.")


def _audit(
    connection: Connection,
    actor: Actor,
    action: str,
    *,
    before: GroupRow | None = None,
    after: GroupRow | None = None,
    added: Sequence[UUID] = (),
    removed: Sequence[UUID] = (),
) -> None:
    subject = after or before
    if subject is None:
        raise AssertionError("an audited change has a subject")
    audit.record(
        connection,
        actor.id,
        action,
        ("group", subject.id, subject.name),
        before=_shown(before) | {"removed_members": [str(item) for item in removed]} if before else None,
        after=_shown(after) | {"added_members": [str(item) for item in added]} if after else None,
        organization_id=subject.organization_id,
    )


def _shown(row: GroupRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("name", "display_name", "avatar_url", "quota_allowance")}
