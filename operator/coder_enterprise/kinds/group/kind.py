"""CoderGroup as the controller drives it: observe, plan, apply, report, delete."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from typing_extensions import override

from coder_enterprise.kinds.group.declare import group_declarations
from coder_enterprise.kinds.group.find import ObservedGroup, read_group, recall_group
from coder_enterprise.kinds.group.hidden_members import send
from coder_enterprise.kinds.group.leave_templates import leave_templates
from coder_enterprise.kinds.group.members import (
    MEMBERS,
    added_members,
    hidden_fields,
    managed_members,
    member_changes,
    resolve_members,
)
from coder_enterprise.kinds.group.settings import NAME, create, patch_request, settings
from coder_enterprise.kinds.group.spec import CREATABLE, EVERYONE, MAX_NAME, GroupSpec, GroupStatus, MemberMode
from coder_enterprise.kinds.machinery.base import APPLIED, Context, ManagedKind, Verdict
from coder_enterprise.kinds.machinery.changes import Action, Change, creates, updates
from coder_enterprise.kinds.machinery.common import AGE_COLUMNS, READY_COLUMNS, STATUS_DEFAULT
from coder_enterprise.kinds.machinery.consent import Demand
from coder_enterprise.kinds.machinery.crd import Column, custom_resource_definition
from coder_enterprise.kinds.machinery.declarations import Declaration
from coder_enterprise.kinds.machinery.errors import waiting
from coder_enterprise.kinds.machinery.lookups import find_organization, or_none
from coder_enterprise.kinds.machinery.names import LOWER_CASE, OWN, is_one_of, matches, own_name
from coder_enterprise.kinds.machinery.people import Mention, texts
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Names, Resource
from coder_enterprise.kinds.machinery.texts import enumerated


class GroupKind(ManagedKind[GroupSpec, ObservedGroup]):
    names = Names("CoderGroup", "codergroups", "codergroup", "codergrp")
    things = "groups"
    spec_model = GroupSpec
    calls = (
        "groups.create",
        "groups.delete",
        "groups.get",
        "groups.list",
        "groups.update",
        "organizations.get",
        "organizations.list",
        "templateacls.get",
        "templateacls.update",
        "templates.list",
        "users.list",
    )
    attempts = frozenset({"templateacls.get", "templateacls.update", "templates.list"})
    feature = "template_rbac"
    pending_field = "pendingMembers"
    others_see = frozenset({NAME})
    crd = custom_resource_definition(
        names=names,
        spec=GroupSpec,
        status=GroupStatus,
        status_default=dict(STATUS_DEFAULT),
        validations=(
            own_name(
                "name", "group name in Coder", matches(OWN, LOWER_CASE), f"!({is_one_of(OWN, ('new', 'create'))})"
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
    def mentions(self, resource: Resource) -> Iterator[Mention]:
        for who in texts(resource.spec, "members", "users"):
            yield Mention(who, MEMBERS, "member")

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
        find = read_group if fresh else recall_group
        group, proven = await find(context, organization, name, resource.external_id)
        if group is None and not re.fullmatch(CREATABLE, name):
            raise waiting(
                Reason.WAITING_FOR_GROUP,
                f"spec.name: there is no group {name!r} in organization {organization.name}; only an identity provider "
                "makes one of such a name, and then it is adopted",
            )
        references = spec.members.users if spec.members else ()
        users, members = await resolve_members(context, organization, references, fresh=fresh)
        return ObservedGroup(
            external_id=group.id if group else None,
            fresh=proven,
            organization=organization,
            name=name,
            group=group,
            members=members,
            users=users,
            look_in=context.directory.users.look_in if references else None,
        )

    @override
    def plan(self, desired: GroupSpec, observed: ObservedGroup, recorded: Mapping[str, Any]) -> list[Change]:
        if observed.group is None:
            return [
                Change(Action.CREATE, "spec", after=observed.name),
                *member_changes(desired, observed, {}),
            ]
        return [
            *updates(settings(desired, observed.name, observed.group)),
            *member_changes(desired, observed, recorded),
        ]

    @override
    def intent(self, desired: GroupSpec, changes: Sequence[Change], recorded: Mapping[str, Any]) -> dict[str, Any]:
        added = added_members(changes)
        if desired.member_mode is not MemberMode.ADDITIVE or not added or creates(changes):
            return {}
        return {"managedMembers": sorted(added | set(recorded.get("managedMembers") or ()))}

    @override
    async def apply(
        self, context: Context, desired: GroupSpec, observed: ObservedGroup, changes: Sequence[Change]
    ) -> ObservedGroup:
        group = await create(context, desired, observed) if creates(changes) else observed.group
        if group is None:
            return observed
        context.directory.put_group(group)
        request = patch_request(desired, observed, changes)
        if request.model_fields_set:
            group = await send(context, observed.users, group.id, request)
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
            "managedMembers": managed_members(desired, observed, changes, recorded),
            "hiddenMembers": hidden_fields(observed, changes, recorded),
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
            return APPLIED
        awaited = enumerated(observed.pending, 5)
        return Verdict(
            reason=Reason.PENDING_MEMBERS,
            message=f"applied, waiting for users to appear in organization {observed.organization.name}: {awaited}",
            revisit=observed.look_in,
        )

    @override
    async def delete(self, context: Context, resource: Resource) -> None:
        group_id = resource.external_id
        if group_id is None or resource.status.get("name") == EVERYONE:
            return
        await leave_templates(context, resource, group_id)
        await or_none(context.client.groups.delete(group_id))
        context.directory.drop_group(group_id)
        context.directory.finished(f"leave/{group_id}")

    @override
    async def declarations(self, context: Context, names: Mapping[str, str]) -> Sequence[Declaration]:
        return await group_declarations(context)
