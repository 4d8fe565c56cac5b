"""CoderGroup: a group of a Coder organization, and who is in it.

The rules of Coder behind it: members are changed by difference and re-adding one fails the whole request;
`Everyone` has its organization's id, and its members follow the organization; names are exact.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final

import structlog
from pydantic import Field
from typing_extensions import override

from coder_enterprise.client import errors, records
from coder_enterprise.client.clock import now
from coder_enterprise.client.concurrency import each
from coder_enterprise.client.directory import DEFAULT_ORGANIZATION, UserIndex
from coder_enterprise.kinds import hidden_members
from coder_enterprise.kinds.base import (
    Action,
    Change,
    Context,
    ManagedKind,
    Observation,
    Verdict,
    stalled,
    waiting,
)
from coder_enterprise.kinds.common import (
    AGE_COLUMNS,
    READY_COLUMNS,
    STATUS_DEFAULT,
    ManagedSpec,
    ManagedStatus,
    Organization,
    Picture,
)
from coder_enterprise.kinds.consent import Demand
from coder_enterprise.kinds.crd import Column, custom_resource_definition
from coder_enterprise.kinds.lookups import find_organization, or_none
from coder_enterprise.kinds.reasons import Reason
from coder_enterprise.kinds.resource import Names, Resource
from coder_enterprise.kinds.schema import Cel, Immutable, KindModel, ListSet
from coder_enterprise.wire.groups import CreateGroupRequest, PatchGroupRequest
from coder_enterprise.wire.template_acls import UpdateTemplateACLRequest

EVERYONE: Final = "Everyone"
MAX_MEMBERS: Final = 2000
MAX_NAME: Final = 255
CREATABLE: Final = "^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$"
"""Names that Coder lets a group be made with; the API server and `re` read it alike."""
MAX_TEMPLATES: Final = 500
"""Whose ACLs are looked at when a group is deleted."""
ACLS_AT_A_TIME: Final = 8
LEAVING: Final = 60.0
"""Seconds that one visit may spend on them."""

log = structlog.get_logger(__name__)

UserReference = Annotated[str, Field(min_length=1, max_length=254)]


class MemberMode(StrEnum):
    AUTHORITATIVE = "Authoritative"
    ADDITIVE = "Additive"
    UNMANAGED = "Unmanaged"


class Members(KindModel):
    mode: MemberMode = MemberMode.AUTHORITATIVE
    """Authoritative: exactly these users; Additive: these at least, and only those that this object added are
    ever removed; Unmanaged: members are left alone. Default: Authoritative."""
    users: Annotated[tuple[UserReference, ...], Field(max_length=MAX_MEMBERS), ListSet()] = ()
    """Users by e-mail, username or id. Those who do not exist yet are added when they appear."""

    cel: ClassVar[tuple[Cel, ...]] = (
        Cel(
            "!has(self.mode) || self.mode != 'Unmanaged' || !has(self.users) || size(self.users) == 0",
            "users must be empty when mode is Unmanaged",
            field_path=".users",
        ),
    )


class GroupSpec(ManagedSpec):
    organization: Annotated[
        Organization, Immutable("organization cannot change: delete the object and create it anew")
    ] = DEFAULT_ORGANIZATION
    """Name or id of the organization. Default: default, which is the deployment's first one."""
    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME, pattern=r"^[^\x00-\x1f\x7f]+$")] | None = None
    """Name of the group in Coder. Default: the object's own name. Of a group that an identity provider has made, it may
    have spaces, dots, slashes and letters of all languages; such a group can only be adopted."""
    display_name: Annotated[str, Field(max_length=64, pattern=r"^([^\t-\r ](.*[^\t-\r ])?)?$")] | None = None
    """What people see in place of the name; "" clears it."""
    avatar_url: Annotated[
        Picture | None,
        Field(alias="avatarURL"),
    ] = None
    """Picture: an http(s) URL, or a path on the deployment such as /emojis/1f680.png; "" clears it."""
    quota_allowance: Annotated[int, Field(ge=0, le=2_147_483_647)] | None = None
    """Credits per day that each member may use through this group."""
    members: Members | None = None
    """Who is in the group; left out, members are left alone."""

    cel: ClassVar[tuple[Cel, ...]] = (
        Cel(
            "!has(self.name) || self.name != 'Everyone' || !has(self.members) || "
            "(has(self.members.mode) && self.members.mode == 'Unmanaged')",
            "the members of Everyone follow the organization: leave members out",
            field_path=".members",
        ),
        Cel(
            "!has(self.name) || self.name != 'Everyone' || !has(self.displayName) || self.displayName == ''",
            "Everyone cannot have a display name",
            field_path=".displayName",
        ),
        Cel(
            f"!has(self.name) || self.name.matches('{CREATABLE}') || "
            "(has(self.adoptionPolicy) && self.adoptionPolicy != 'Fail') || "
            "(has(self.managementPolicy) && self.managementPolicy != 'Enforce')",
            "only an identity provider makes a group of such a name: set adoptionPolicy to Adopt or AdoptIfIdentical, "
            "or use letters and digits, joined by single hyphens",
            field_path=".name",
        ),
        Cel(
            "!has(self.name) || !(self.name in ['new', 'create'])",
            "new and create are reserved by Coder",
            field_path=".name",
        ),
        *ManagedSpec.cel,
        Cel(
            "has(self.organization) == has(oldSelf.organization)",
            "organization cannot change: delete the object and create it anew",
            field_path=".organization",
        ),
    )

    @property
    def member_mode(self) -> MemberMode:
        return self.members.mode if self.members else MemberMode.UNMANAGED


class GroupStatus(ManagedStatus):
    id: Annotated[str, Field(max_length=64)] | None = None
    """The group's id in Coder."""
    name: Annotated[str, Field(max_length=MAX_NAME)] | None = None
    """The group's name in Coder."""
    source: Annotated[str, Field(max_length=32)] | None = None
    """user, or oidc for a group that the identity provider fills."""
    member_count: int | None = None
    """How many members the group has in Coder; not counted for Everyone."""
    pending_members: Annotated[tuple[UserReference, ...], Field(max_length=MAX_MEMBERS), ListSet()] | None = None
    """Declared users who do not exist in Coder, or are not in the organization, yet."""
    unmanaged_members: int | None = None
    """How many members Coder has that this object does not declare."""
    managed_members: Annotated[tuple[UserReference, ...], Field(max_length=2 * MAX_MEMBERS), ListSet()] | None = None
    """Ids of the members that this object added, in mode Additive."""
    hidden_members: Annotated[tuple[UserReference, ...], Field(max_length=MAX_MEMBERS), ListSet()] | None = None
    """Ids of declared members who are dormant or suspended, whom this version of Coder does not show."""


@dataclass(frozen=True, kw_only=True)
class ObservedGroup(Observation):
    organization: records.Organization
    name: str
    """As declared."""
    group: records.Group | None
    members: Mapping[str, str | None]
    """Each declared user, and the id; None when there is no such user in the organization yet."""
    users: UserIndex
    look_in: float | None = None
    """Seconds until those who do not exist are looked for again."""

    @property
    def desired_ids(self) -> set[str]:
        return {user_id for user_id in self.members.values() if user_id}

    def members_with(self, known: Iterable[str]) -> frozenset[str]:
        """Whom Coder shows, and those among `known` whom it hides."""
        if self.group is None:
            return frozenset()
        return self.group.member_ids | hidden_members.hidden(self.users, self.group, known)

    @property
    def pending(self) -> tuple[str, ...]:
        return tuple(reference for reference, user_id in self.members.items() if user_id is None)


_FIELDS: Final = (
    ("display_name", "spec.displayName"),
    ("avatar_url", "spec.avatarURL"),
    ("quota_allowance", "spec.quotaAllowance"),
)
_MEMBERS: Final = "spec.members.users"


class GroupKind(ManagedKind[GroupSpec, ObservedGroup]):
    names = Names("CoderGroup", "codergroups", "codergroup", "codergrp")
    things = "groups"
    spec_model = GroupSpec
    feature = "template_rbac"
    crd = custom_resource_definition(
        names=names,
        spec=GroupSpec,
        status=GroupStatus,
        status_default=dict(STATUS_DEFAULT),
        validations=(
            Cel(
                "has(self.spec.name) || (self.metadata.name.matches('^[a-z0-9]+(-[a-z0-9]+)*$') && "
                "!(self.metadata.name in ['new', 'create']))",
                "metadata.name is not a valid group name in Coder: set spec.name",
                field_path=".spec.name",
            ),
        ),
        description="A group of a Coder organization: its name, its quota, and who is in it.",
        columns=(
            *READY_COLUMNS,
            Column("External ID", ".status.id"),
            Column("Members", ".status.memberCount", type="integer"),
            Column("Organization", ".spec.organization", priority=1),
            Column("Pending", ".status.pendingMembers", priority=1),
            *AGE_COLUMNS,
        ),
    )

    @override
    def demand(self, spec: GroupSpec, changes: Sequence[Change] = ()) -> Demand:
        return Demand(self.names.kind, organization=spec.organization)

    @override
    def external_name(self, resource: Resource, spec: GroupSpec) -> str:
        return spec.name or resource.key.name

    @override
    async def identity(self, context: Context, resource: Resource, spec: GroupSpec) -> str:
        organization = await find_organization(context, spec.organization)
        return f"{organization.id}/{self.external_name(resource, spec)}"

    @override
    async def observe(self, context: Context, resource: Resource, spec: GroupSpec, *, fresh: bool) -> ObservedGroup:
        organization = await find_organization(context, spec.organization)
        name = self.external_name(resource, spec)
        find = _read_group if fresh else _recall_group
        group, proven = await find(context, organization, name, resource.external_id)
        if group is None and not re.fullmatch(CREATABLE, name):
            raise waiting(
                Reason.WAITING_FOR_GROUP,
                f"spec.name: there is no group {name!r} in organization {organization.name}; only an identity provider "
                "makes one of such a name, and then it is adopted",
            )
        references = spec.members.users if spec.members else ()
        users, members = await _resolve(context, organization, references, fresh=fresh)
        return ObservedGroup(
            external_id=group.id if group else None,
            fresh=proven,
            organization=organization,
            name=name,
            group=group,
            members=members,
            users=users,
            look_in=context.directory.users.look_in,
        )

    @override
    def plan(self, desired: GroupSpec, observed: ObservedGroup, recorded: Mapping[str, Any]) -> list[Change]:
        if observed.group is None:
            return [
                Change(Action.CREATE, "spec", after=observed.name),
                *_member_changes(desired, observed, {}),
            ]
        changes = []
        if observed.group.name != observed.name:
            changes.append(Change(Action.UPDATE, "spec.name", observed.group.name, observed.name))
        for field, path in _FIELDS:
            wanted, current = getattr(desired, field), getattr(observed.group, field)
            if wanted is not None and wanted != current:
                changes.append(Change(Action.UPDATE, path, current, wanted))
        return changes + _member_changes(desired, observed, recorded)

    @override
    def intent(self, desired: GroupSpec, changes: Sequence[Change], recorded: Mapping[str, Any]) -> dict[str, Any]:
        added = _added(changes)
        created = any(change.action is Action.CREATE for change in changes)
        if desired.member_mode is not MemberMode.ADDITIVE or not added or created:
            return {}
        return {"managedMembers": sorted(added | set(recorded.get("managedMembers") or ()))}

    @override
    async def apply(
        self, context: Context, desired: GroupSpec, observed: ObservedGroup, changes: Sequence[Change]
    ) -> ObservedGroup:
        group = observed.group or await _create(context, desired, observed)
        context.directory.put_group(group)
        request = _patch_request(desired, observed, changes, created=observed.group is None)
        if request.model_fields_set:
            group = await hidden_members.update(context, observed.users, group.id, request)
            context.directory.put_group(group)
        return replace(observed, group=group, external_id=group.id, fresh=True)

    @override
    def report(
        self,
        desired: GroupSpec,
        observed: ObservedGroup,
        changes: Sequence[Change],
        recorded: Mapping[str, Any],
    ) -> dict[str, Any]:
        group = observed.group
        fields: dict[str, Any] = {
            "pendingMembers": list(observed.pending) or None,
            "managedMembers": _managed_members(desired, observed, changes, recorded),
            "hiddenMembers": _hidden_members(observed, changes, recorded),
        }
        if group is None:
            return fields | {
                "id": None,
                "name": None,
                "source": None,
                "memberCount": None,
                "unmanagedMembers": None,
            }
        counted = not group.is_everyone
        return fields | {
            "id": group.id,
            "name": group.name[:MAX_NAME],
            "source": group.source,
            "memberCount": len(group.member_ids) if counted else None,
            "unmanagedMembers": len(group.member_ids - observed.desired_ids) if counted else None,
        }

    @override
    def verdict(self, desired: GroupSpec, observed: ObservedGroup) -> Verdict:
        if not observed.pending:
            return Verdict()
        shown = ", ".join(observed.pending[:5])
        more = f" and {len(observed.pending) - 5} more" if len(observed.pending) > 5 else ""
        return Verdict(
            reason=Reason.PENDING_MEMBERS,
            message=f"applied, waiting for users to appear in organization {observed.organization.name}: {shown}{more}",
            revisit=observed.look_in,
        )

    @override
    async def delete(self, context: Context, resource: Resource) -> None:
        group_id = resource.external_id
        if group_id is None or resource.status.get("name") == EVERYONE:
            return
        await _leave_templates(context, resource, group_id)
        await or_none(context.client.groups.delete(group_id))
        context.directory.drop_group(group_id)
        context.directory.finished(f"leave/{group_id}")


async def _recall_group(
    context: Context, organization: records.Organization, name: str, recorded_id: str | None
) -> tuple[records.Group | None, bool]:
    """From the shared list. That a name is free needs no second look: Coder itself refuses a taken one."""
    index = await context.directory.groups(organization.id).get()
    if recorded_id is None:
        group = index.by_name.get(name)
        return group, group is None
    return index.by_id.get(recorded_id), False


async def _read_group(
    context: Context, organization: records.Organization, name: str, recorded_id: str | None
) -> tuple[records.Group | None, bool]:
    groups = context.client.groups
    if recorded_id is not None:
        group = await or_none(groups.get(recorded_id))
        if group is not None:
            context.directory.put_group(group)
            return group, True
        context.directory.drop_group(recorded_id)
    if not re.fullmatch(CREATABLE, name):  # servers read a path with a slash in different ways
        index = await context.directory.groups(organization.id).get(newer_than=now())
        return index.by_name.get(name), True
    group = await or_none(groups.by_name(organization.id, name))
    if group is not None:
        context.directory.put_group(group)
    return group, True


async def _resolve(
    context: Context, organization: records.Organization, references: Sequence[str], *, fresh: bool
) -> tuple[UserIndex, dict[str, str | None]]:
    if not references:
        return context.directory.users.value or UserIndex(()), {}

    def resolve(users: UserIndex) -> dict[str, str | None]:
        return {reference: _member_id(users, organization, reference) for reference in references}

    def missing(users: UserIndex) -> list[str]:
        return [f"{organization.id}/{name}" for name, user_id in resolve(users).items() if user_id is None]

    users = await context.directory.users.search(missing, context.users_newer_than, fresh=fresh)
    return users, resolve(users)


def _member_id(users: UserIndex, organization: records.Organization, reference: str) -> str | None:
    user = users.find(reference)
    if user is None or (user.organization_ids and organization.id not in user.organization_ids):
        return None
    return user.id


def _member_changes(desired: GroupSpec, observed: ObservedGroup, recorded: Mapping[str, Any]) -> list[Change]:
    mode = desired.member_mode
    if mode is MemberMode.UNMANAGED:
        return []
    current = observed.members_with(recorded.get("hiddenMembers") or ())
    wanted = observed.desired_ids
    surplus = current - wanted
    if mode is MemberMode.ADDITIVE:
        surplus &= set(recorded.get("managedMembers") or ())
    label = observed.users.label
    return [
        *(Change(Action.ADD, _MEMBERS, after=label(user), subject=user) for user in sorted(wanted - current)),
        *(Change(Action.REMOVE, _MEMBERS, before=label(user), subject=user) for user in sorted(surplus)),
    ]


async def _create(context: Context, desired: GroupSpec, observed: ObservedGroup) -> records.Group:
    values = {field: getattr(desired, field) for field, _ in _FIELDS if getattr(desired, field) is not None}
    try:
        return await context.client.groups.create(
            observed.organization.id, CreateGroupRequest(name=observed.name, **values)
        )
    except errors.AlreadyTaken as error:
        raise stalled(
            Reason.ALREADY_EXISTS,
            f"a group named {observed.name} was just made by someone else ({error.message})",
        ) from None


def _patch_request(
    desired: GroupSpec, observed: ObservedGroup, changes: Sequence[Change], *, created: bool
) -> PatchGroupRequest:
    paths = {change.path for change in changes if change.action is Action.UPDATE}
    values: dict[str, Any] = {}
    if not created:
        values = {field: getattr(desired, field) for field, path in _FIELDS if path in paths}
        if "spec.name" in paths:
            values["name"] = observed.name
    for action, field in ((Action.ADD, "add_users"), (Action.REMOVE, "remove_users")):
        subjects = [change.subject for change in changes if change.action is action]
        if subjects:
            values[field] = subjects
    return PatchGroupRequest(**values)


def _managed_members(
    desired: GroupSpec, observed: ObservedGroup, changes: Sequence[Change], recorded: Mapping[str, Any]
) -> list[str] | None:
    if desired.member_mode is not MemberMode.ADDITIVE or observed.group is None:
        return None
    known = _added(changes) | set(recorded.get("managedMembers") or ())
    return sorted(known & observed.members_with(_known_hidden(changes, recorded))) or None


def _hidden_members(
    observed: ObservedGroup, changes: Sequence[Change], recorded: Mapping[str, Any]
) -> list[str] | None:
    if observed.group is None:
        return None
    hidden = hidden_members.hidden(observed.users, observed.group, _known_hidden(changes, recorded))
    return sorted(hidden & observed.desired_ids) or None


def _known_hidden(changes: Sequence[Change], recorded: Mapping[str, Any]) -> set[str]:
    return _added(changes) | set(recorded.get("hiddenMembers") or ())


def _added(changes: Sequence[Change]) -> set[str]:
    return {change.subject for change in changes if change.action is Action.ADD}


_NOT_FOR_US: Final = (errors.BadRequest, errors.Forbidden, errors.NotFound, errors.ServerError, errors.UnexpectedShape)


async def _leave_templates(context: Context, resource: Resource, group_id: str) -> None:
    """Take the group out of the ACLs of its organization's templates, as far as the server lets us.

    Coder keeps the entries of a group that is deleted, hidden, and before autumn 2025 cannot remove them any more. Read
    are shared ACLs, seconds old, so that a thousand groups that go at once cost no more than one. Raises `KindError`
    when that takes long: the next visit goes on where this one ended.
    """
    directory, newest = context.directory, context.users_newer_than
    done = directory.progress(f"leave/{group_id}")

    async def leave(template_id: str) -> None:
        acl = await directory.template_acl(template_id).get(newer_than=newest)
        if any(entry.id == group_id for entry in acl.group or ()):
            request = UpdateTemplateACLRequest(group_perms={group_id: ""})
            await context.client.templates.update_acl(template_id, request)
            directory.template_acl(template_id).expire()
        done.add(template_id)

    try:
        organization = await directory.organization(resource.spec.get("organization") or DEFAULT_ORGANIZATION)
        templates = await directory.templates(organization.id).get(newer_than=newest)
        everywhere = sorted(templates.by_id)[:MAX_TEMPLATES]
        async with asyncio.timeout(LEAVING):
            await each([item for item in everywhere if item not in done], leave, ACLS_AT_A_TIME)
    except TimeoutError:
        message = f"its entry is taken out of templates, {len(done)} of {len(everywhere)} so far"
        raise waiting(Reason.DELETING, message) from None
    except _NOT_FOR_US as error:
        # It may go all the same: one who may delete groups need not administer templates, whose answer may be 500.
        log.info("not taken out of templates", group=group_id, error=error.message)
