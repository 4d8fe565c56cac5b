"""CoderTemplateACL as the controller drives it: observe, plan, apply, report, delete."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from typing_extensions import override

from coder_enterprise.client import errors, records
from coder_enterprise.kinds.machinery.base import Context, DomainCondition, ManagedKind, Progress, Verdict
from coder_enterprise.kinds.machinery.changes import Change
from coder_enterprise.kinds.machinery.common import AGE_COLUMNS, READY_COLUMNS, STATUS_DEFAULT, ManagementPolicy
from coder_enterprise.kinds.machinery.consent import Demand
from coder_enterprise.kinds.machinery.crd import Column, custom_resource_definition
from coder_enterprise.kinds.machinery.declarations import Declaration
from coder_enterprise.kinds.machinery.people import Mention, items, texts
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Key, Names, Resource
from coder_enterprise.kinds.machinery.texts import enumerated
from coder_enterprise.kinds.template_acl.declare import acl_declarations
from coder_enterprise.kinds.template_acl.entries import (
    FIELDS,
    GROUPS,
    USERS,
    Side,
    applied_entries,
    dump_entries,
    entry_of,
    gives,
    grants,
    kept_entry,
    of_template,
    retractions,
    revocations,
)
from coder_enterprise.kinds.template_acl.everyone import everyone_changes, everyone_now, kept_everyone
from coder_enterprise.kinds.template_acl.find import (
    ObservedACL,
    find_template,
    read_acl,
    refuse_another_template,
    with_acl,
)
from coder_enterprise.kinds.template_acl.spec import (
    MAX_PENDING_TEXT,
    AppliedEntry,
    Mode,
    TemplateACLSpec,
    TemplateACLStatus,
)
from coder_enterprise.kinds.template_acl.steps import write
from coder_enterprise.kinds.template_acl.subjects import find_groups, find_users, group_key, look_in


class TemplateACLKind(ManagedKind[TemplateACLSpec, ObservedACL]):
    names = Names("CoderTemplateACL", "codertemplateacls", "codertemplateacl", "coderacl")
    things = "permissions of templates"
    spec_model = TemplateACLSpec
    calls = (
        "groups.list",
        "organizations.get",
        "organizations.list",
        "templateacls.get",
        "templateacls.update",
        "templates.get",
        "templates.list",
        "users.list",
    )
    feature = "template_rbac"
    pending_field = "pending"
    crd = custom_resource_definition(
        names=names,
        spec=TemplateACLSpec,
        status=TemplateACLStatus,
        status_default=dict(STATUS_DEFAULT),
        description="Who may use and who may administer a template of Coder.",
        columns=(
            *READY_COLUMNS,
            Column("External ID", ".status.id"),
            Column("Template", ".spec.template.name"),
            Column("Everyone", ".status.everyone"),
            Column("Mode", ".spec.mode", priority=1),
            Column("Pending", ".status.pending", priority=1),
            *AGE_COLUMNS,
        ),
    )

    @override
    def references(self, resource: Resource, spec: TemplateACLSpec) -> tuple[Key, ...]:
        return tuple(group_key(resource, item.group_ref) for item in spec.groups or () if item.group_ref)

    @override
    def mentions(self, resource: Resource) -> Iterator[Mention]:
        for item in items(resource.spec, "users"):
            for who, role in zip(texts(item, "user"), texts(item, "role"), strict=False):
                yield Mention(who, USERS, role)

    @override
    def demand(self, spec: TemplateACLSpec, changes: Sequence[Change] = ()) -> Demand:
        return Demand(self.names.kind, organization=None if spec.template.id else spec.template.organization)

    @override
    def external_name(self, resource: Resource, spec: TemplateACLSpec) -> str:
        return (spec.template.name or spec.template.id or "").lower()

    @override
    def title(self, resource: Resource, spec: TemplateACLSpec) -> str:
        return f"the ACL of template {self.external_name(resource, spec)}"

    @override
    async def identity(self, context: Context, resource: Resource, spec: TemplateACLSpec) -> str:
        return (await find_template(context, spec.template, fresh=False)).id

    @override
    async def observe(self, context: Context, resource: Resource, spec: TemplateACLSpec, *, fresh: bool) -> ObservedACL:
        template = await find_template(context, spec.template, fresh=fresh)
        await refuse_another_template(context, resource, template)
        acl = await read_acl(context, template.id, fresh=fresh)
        users, missing = await find_users(context, resource, spec, acl, fresh=fresh)
        wanted, names, unknown, awaited = await find_groups(context, resource, spec, template)
        observed = ObservedACL(
            external_id=template.id,
            fresh=fresh,
            template=template,
            users=users,
            groups=Side(GROUPS, wanted, {}, names, None),
            groups_shown=True,
            everyone=None,
            pending=(*missing, *unknown, *awaited),
            awaited=awaited,
            look_in=look_in(context, template, missing, unknown),
        )
        observed = _with_known_names(with_acl(observed, acl), resource)
        free = spec.additive or not any(side.shown for side in observed.sides if side.wanted is not None)
        return replace(observed, free=free)

    @override
    def plan(self, desired: TemplateACLSpec, observed: ObservedACL, recorded: Mapping[str, Any]) -> list[Change]:
        recorded = of_template(recorded, observed.template.id)
        changes = everyone_changes(desired, observed, recorded)
        for side in observed.sides:
            applied = applied_entries(recorded, side.path, but=observed.template.organization_id)
            if side.wanted is not None:
                changes += grants(side, side.wanted, applied, additive=desired.additive)
                changes += revocations(side, side.wanted, applied, additive=desired.additive)
        return changes

    @override
    def intent(
        self, desired: TemplateACLSpec, changes: Sequence[Change], recorded: Mapping[str, Any]
    ) -> dict[str, Any]:
        """What is given; what is taken away stays recorded until it is gone."""
        fields = {}
        for path, field in FIELDS.items():
            known = applied_entries(recorded, path)
            given = {change.subject: entry_of(change, known) for change in changes if gives(change, path, known)}
            if given:
                fields[field] = dump_entries({**known, **given})
        return fields

    @override
    async def apply(
        self, context: Context, desired: TemplateACLSpec, observed: ObservedACL, changes: Sequence[Change]
    ) -> ObservedACL:
        try:
            await write(context, observed.template.id, changes)
        except errors.BadRequest:
            # Somebody of those who were listed is gone: the next look must see it.
            context.directory.users.expire()
            context.directory.groups(observed.template.organization_id).expire()
            raise
        return with_acl(observed, await read_acl(context, observed.template.id, fresh=True))

    @override
    def report(
        self,
        desired: TemplateACLSpec,
        observed: ObservedACL,
        changes: Sequence[Change],
        recorded: Mapping[str, Any],
    ) -> dict[str, Any]:
        known = of_template(recorded, observed.template.id)
        users, groups = (kept_entries(desired, side, changes, known, observed.template) for side in observed.sides)
        return {
            "id": observed.template.id,
            "templateID": observed.template.id,
            "appliedUsers": dump_entries(users),
            "appliedGroups": dump_entries(groups | kept_everyone(desired, observed, changes, known)),
            "everyone": everyone_now(observed, changes, known),
            "pending": [text[:MAX_PENDING_TEXT] for text in observed.pending] or None,
        }

    @override
    def verdict(self, desired: TemplateACLSpec, observed: ObservedACL) -> Verdict:
        condition, note = visibility(observed)
        if not observed.pending:
            return Verdict(message=f"applied{note}", conditions=(condition,))
        return Verdict(
            progress=Progress.WORKING if observed.awaited else Progress.DONE,
            reason=Reason.WAITING_FOR_GROUP if observed.awaited else Reason.PENDING_SUBJECTS,
            message=f"applied, waiting for {enumerated(observed.pending, 5)} to appear{note}",
            conditions=(condition,),
            revisit=observed.look_in,
        )

    @override
    async def delete(self, context: Context, resource: Resource) -> str | None:
        """Takes away what this object gave, and gives nothing to anybody, Everyone included."""
        template_id = resource.external_id or ""
        try:
            acl = await context.client.templates.acl(template_id)
            changes = retractions(resource.status, acl, additive=resource.spec.get("mode") == Mode.ADDITIVE)
            await write(context, template_id, changes)
        except errors.NotFound as error:
            if error.route_missing:
                raise
            return f"template {template_id} is gone from Coder, and its ACL with it"
        context.directory.template_acl(template_id).expire()
        return f"{len(changes)} entries are taken from the ACL of template {template_id}; all others stay"

    @override
    async def declarations(self, context: Context, names: Mapping[str, str]) -> Sequence[Declaration]:
        return await acl_declarations(context, names)


def _with_known_names(observed: ObservedACL, resource: Resource) -> ObservedACL:
    """Groups that are gone still have the names that status recorded."""
    known = {entry.id: entry.name for entry in applied_entries(resource.status, GROUPS).values() if entry.name}
    return replace(observed, groups=replace(observed.groups, names={**known, **observed.groups.names}))


def kept_entries(
    desired: TemplateACLSpec,
    side: Side,
    changes: Sequence[Change],
    recorded: Mapping[str, Any],
    template: records.Template,
) -> dict[str, AppliedEntry]:
    """The entries that are this object's after `changes`."""
    if side.wanted is None:
        return {}
    applied = applied_entries(recorded, side.path, but=template.organization_id)
    made = {change.subject: change for change in changes if change.path.startswith(f"{side.path}[")}
    owned = not desired.additive and desired.management_policy is ManagementPolicy.ENFORCE
    kept = {}
    for subject in side.wanted if owned else {*applied, *made}:
        entry = kept_entry(side, subject, made.get(subject), applied, owned=owned)
        if entry is not None:
            kept[subject] = entry if not owned else entry.model_copy(update={"replaced": None})
    return kept


def visibility(observed: ObservedACL) -> tuple[DomainCondition, str]:
    if observed.groups_shown:
        return DomainCondition("GroupsVisible", "True", Reason.GROUPS_SHOWN, "the server tells the roles of groups"), ""
    message = "the server does not tell the roles of groups: they are as applied last, and their drift is not noticed"
    return DomainCondition("GroupsVisible", "False", Reason.GROUPS_NOT_SHOWN, message), f"; {message}"
