"""CoderTemplateACL: who may use and who may administer a template.

The rules of Coder behind it: each template has one ACL, with a role per user and per group; a change is merged, and
the role "" takes an entry away. Everyone is the group with the organization's id. Coder does not show every entry that
it has: none of suspended and deleted users, below 2.15 none of dormant ones either, and a server that sends the
documented list shows no groups. So status remembers what was applied, and only what is shown is compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field
from typing_extensions import override

from coder_enterprise.client import errors, records
from coder_enterprise.client.clock import now
from coder_enterprise.client.directory import DEFAULT_ORGANIZATION, GroupIndex, UserIndex
from coder_enterprise.kinds.acl_entries import (
    ACTIVE,
    DELETED,
    EVERYBODY,
    FIELDS,
    GROUPS,
    USERS,
    AppliedEntry,
    Everyone,
    Role,
    Side,
    applied_entries,
    dump_entries,
    entry_of,
    gives,
    grants,
    greater,
    kept_entry,
    of_template,
    request_for,
    retractions,
    revocations,
    takes,
    with_shown,
)
from coder_enterprise.kinds.base import (
    Action,
    Change,
    Context,
    DomainCondition,
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
    ManagementPolicy,
    ObjectName,
    Organization,
)
from coder_enterprise.kinds.consent import Demand
from coder_enterprise.kinds.crd import Column, custom_resource_definition
from coder_enterprise.kinds.group import EVERYONE, MAX_NAME, GroupKind, UserReference
from coder_enterprise.kinds.lookups import or_none
from coder_enterprise.kinds.reasons import Reason
from coder_enterprise.kinds.resource import Key, Names, Resource
from coder_enterprise.kinds.schema import Cel, KindModel, ListMap, ListSet

MAX_USERS: Final = 500
MAX_GROUPS: Final = 100
MAX_PENDING_TEXT: Final = 300


class Mode(StrEnum):
    AUTHORITATIVE = "Authoritative"
    ADDITIVE = "Additive"


class TemplateReference(KindModel):
    organization: Organization = DEFAULT_ORGANIZATION
    """Name or id of the template's organization. Default: default, which is the deployment's first one."""
    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$")] | None = None
    """Name of the template."""
    id: Annotated[str, Field(max_length=36, pattern=r"^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$")] | None = (
        None
    )
    """Id of the template, in place of organization and name."""

    cel: ClassVar[tuple[Cel, ...]] = (
        Cel("has(self.name) != has(self.id)", "template needs either a name or an id"),
        Cel(
            "!(has(self.id) && has(self.organization))",
            "an id says all: leave organization out",
            field_path=".organization",
        ),
    )


class UserRole(KindModel):
    user: UserReference
    """By e-mail, username or id."""
    role: Role
    """use: make workspaces of the template; admin: change the template as well."""


class GroupReference(KindModel):
    name: ObjectName
    """Name of a CoderGroup in the same namespace."""


class GroupRole(KindModel):
    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME)] | None = None
    """Name of a group of the template's organization, in exact letters."""
    group_ref: GroupReference | None = None
    """A CoderGroup of the same namespace and deployment, in place of a name."""
    role: Role
    """use: make workspaces of the template; admin: change the template as well."""

    cel: ClassVar[tuple[Cel, ...]] = (
        Cel("has(self.name) != has(self.groupRef)", "a group needs either a name or a groupRef"),
        Cel(
            "!has(self.name) || self.name != 'Everyone'",
            "the role of Everyone is declared by spec.everyone",
            field_path=".name",
        ),
    )


class TemplateACLSpec(ManagedSpec):
    template: TemplateReference
    """The template, which must exist or is waited for."""
    mode: Mode = Mode.AUTHORITATIVE
    """Authoritative: exactly these users and groups have a role; Additive: they have at least that role, and only what
    this object gave is ever taken away. Default: Authoritative."""
    users: Annotated[tuple[UserRole, ...], Field(max_length=MAX_USERS), ListMap("user")] | None = None
    """Users and their roles; left out, users are left alone. Those who do not exist yet are added when they appear. Who
    is named twice, such as by e-mail and by username, gets the greater role."""
    groups: (
        Annotated[
            tuple[GroupRole, ...],
            Field(max_length=MAX_GROUPS),
            Cel(
                "self.all(one, !has(one.name) || self.exists_one(other, has(other.name) && other.name == one.name))",
                "a group must not be named twice",
            ),
            Cel(
                "self.all(one, !has(one.groupRef) || "
                "self.exists_one(other, has(other.groupRef) && other.groupRef.name == one.groupRef.name))",
                "a CoderGroup must not be named twice",
            ),
        ]
        | None
    ) = None
    """Groups and their roles; left out, groups are left alone. Those that do not exist yet are added when they
    appear."""
    everyone: Everyone = Everyone.UNMANAGED
    """use: every member of the organization may use the template; none: only users and groups that have a role;
    unmanaged: as it is, which for a new template is use. Default: unmanaged."""

    @property
    def additive(self) -> bool:
        return self.mode is Mode.ADDITIVE


AppliedEntries = Annotated[list[AppliedEntry], Field(max_length=2 * MAX_USERS), ListMap("id")]


class TemplateACLStatus(ManagedStatus):
    id: Annotated[str, Field(max_length=64)] | None = None
    """Id of the template whose ACL this object holds; no other object may."""
    template_id: Annotated[Annotated[str, Field(max_length=64)] | None, Field(alias="templateID")] = None
    """Id of the template that spec names."""
    applied_users: AppliedEntries | None = None
    """Entries of users that this object holds, and takes away when it is deleted."""
    applied_groups: AppliedEntries | None = None
    """The same of groups; Everyone is among them when this object gave it its role."""
    everyone: Annotated[str, Field(max_length=16)] | None = None
    """The role of Everyone in Coder, or none; as it was applied last where the server does not tell."""
    pending: (
        Annotated[
            tuple[Annotated[str, Field(max_length=MAX_PENDING_TEXT)], ...],
            Field(max_length=MAX_USERS + MAX_GROUPS),
            ListSet(),
        ]
        | None
    ) = None
    """Who is declared and not there yet, such as "user zoe@example.com" or "CoderGroup data"."""


@dataclass(frozen=True, kw_only=True)
class ObservedACL(Observation):
    template: records.Template
    users: Side
    groups: Side
    groups_shown: bool
    everyone: str | None
    """The role of Everyone, or none; None when the server does not tell."""
    pending: tuple[str, ...]
    awaited: tuple[str, ...]
    """Those of `pending` that are objects of ours."""
    look_in: float | None = None
    """Seconds until the others are looked for again; None without any."""

    @property
    def sides(self) -> tuple[Side, Side]:
        return (self.users, self.groups)


class TemplateACLKind(ManagedKind[TemplateACLSpec, ObservedACL]):
    names = Names("CoderTemplateACL", "codertemplateacls", "codertemplateacl", "coderacl")
    things = "permissions of templates"
    spec_model = TemplateACLSpec
    feature = "template_rbac"
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
        return tuple(_group_key(resource, item.group_ref) for item in spec.groups or () if item.group_ref)

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
        return (await _template(context, spec.template, fresh=False)).id

    @override
    async def observe(self, context: Context, resource: Resource, spec: TemplateACLSpec, *, fresh: bool) -> ObservedACL:
        template = await _template(context, spec.template, fresh=fresh)
        await _refuse_another_template(context, resource, template)
        acl = await _read_acl(context, template.id, fresh=fresh)
        users, missing = await _users(context, resource, spec, acl, fresh=fresh)
        wanted, names, unknown, awaited = await _groups(context, resource, spec, template)
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
            look_in=_look_in(context, template, missing, unknown),
        )
        observed = _with_acl(observed, acl)
        free = spec.additive or not any(side.shown for side in observed.sides if side.wanted is not None)
        return replace(observed, free=free)

    @override
    def plan(self, desired: TemplateACLSpec, observed: ObservedACL, recorded: Mapping[str, Any]) -> list[Change]:
        recorded = of_template(recorded, observed.template.id)
        changes = _everyone_changes(desired, observed, recorded)
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
            await _write(context, observed.template.id, changes)
        except errors.BadRequest:
            # Somebody of those who were listed is gone: the next look must see it.
            context.directory.users.expire()
            context.directory.groups(observed.template.organization_id).expire()
            raise
        return _with_acl(observed, await _read_acl(context, observed.template.id, fresh=True))

    @override
    def report(
        self,
        desired: TemplateACLSpec,
        observed: ObservedACL,
        changes: Sequence[Change],
        recorded: Mapping[str, Any],
    ) -> dict[str, Any]:
        known = of_template(recorded, observed.template.id)
        users, groups = (_kept(desired, side, changes, known, observed.template) for side in observed.sides)
        return {
            "id": observed.template.id,
            "templateID": observed.template.id,
            "appliedUsers": dump_entries(users),
            "appliedGroups": dump_entries(groups | _kept_everyone(desired, observed, changes, known)),
            "everyone": _everyone_now(observed, changes, known),
            "pending": [text[:MAX_PENDING_TEXT] for text in observed.pending] or None,
        }

    @override
    def verdict(self, desired: TemplateACLSpec, observed: ObservedACL) -> Verdict:
        condition, note = _visibility(observed)
        if not observed.pending:
            return Verdict(message=f"applied{note}", conditions=(condition,))
        shown = ", ".join(observed.pending[:5])
        more = f" and {len(observed.pending) - 5} more" if len(observed.pending) > 5 else ""
        return Verdict(
            ready=not observed.awaited,
            reason=Reason.WAITING_FOR_GROUP if observed.awaited else Reason.PENDING_SUBJECTS,
            message=f"applied, waiting for {shown}{more} to appear{note}",
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
            await _write(context, template_id, changes)
        except errors.NotFound as error:
            if error.route_missing:
                raise
            return f"template {template_id} is gone from Coder, and its ACL with it"
        context.directory.template_acl(template_id).expire()
        return f"{len(changes)} entries are taken from the ACL of template {template_id}; all others stay"


# Observing


async def _template(context: Context, reference: TemplateReference, *, fresh: bool) -> records.Template:
    try:
        if reference.id is not None:
            snapshot = context.directory.template(reference.id.lower())
            return await snapshot.get(newer_than=now() if fresh else float("-inf"))
        organization = await context.directory.organization(reference.organization)
        return await _named_template(context, organization.id, reference.name or "", fresh=fresh)
    except (errors.NotFound, errors.BadRequest) as error:
        if isinstance(error, errors.NotFound) and error.route_missing:
            raise
        wanted = reference.id or f"{reference.organization}/{reference.name}"
        raise waiting(
            Reason.WAITING_FOR_TEMPLATE,
            f"spec.template: {wanted} does not exist in Coder, or the token cannot see it ({error.message})",
        ) from None


async def _named_template(context: Context, organization_id: str, name: str, *, fresh: bool) -> records.Template:
    if not fresh:
        listed = (await context.directory.templates(organization_id).get()).find(name)
        if listed is not None:
            return listed
    return await context.client.templates.by_name(organization_id, name)


async def _refuse_another_template(context: Context, resource: Resource, template: records.Template) -> None:
    """Entries on a template that spec names no longer would stay there unseen."""
    held = resource.external_id
    if held is None or held == template.id:
        return
    other = await or_none(context.directory.template(held).get())
    if other is None:
        return  # it was deleted, and made anew with the same name
    raise stalled(
        Reason.INVALID_REFERENCE,
        f"spec.template: this object was applied to template {other.name} ({held}), and names another one now "
        f"({template.id}); name that one again, or delete this object and create it anew",
    )


async def _read_acl(context: Context, template_id: str, *, fresh: bool) -> records.TemplateACL:
    snapshot = context.directory.template_acl(template_id)
    try:
        return await snapshot.get(newer_than=now() if fresh else float("-inf"))
    except errors.NotFound as error:
        if error.route_missing:
            raise
        raise waiting(
            Reason.WAITING_FOR_TEMPLATE,
            f"spec.template: {template_id} is gone from Coder, or the token cannot see it ({error.message})",
        ) from None


def _with_acl(observed: ObservedACL, acl: records.TemplateACL) -> ObservedACL:
    everyone = observed.template.organization_id
    groups = {entry.id: entry for entry in acl.group or ()}
    mine = groups.pop(everyone, None)
    return replace(
        observed,
        users=with_shown(observed.users, acl.users),
        groups=with_shown(observed.groups, groups.values()),
        groups_shown=acl.group is not None,
        everyone=None if acl.group is None else (mine and mine.role) or str(Everyone.NONE),
    )


async def _users(
    context: Context, resource: Resource, spec: TemplateACLSpec, acl: records.TemplateACL, *, fresh: bool
) -> tuple[Side, list[str]]:
    """The declared users, and who of them does not exist."""
    applied = applied_entries(resource.status, USERS)
    if not spec.users and not applied:
        return Side(USERS, None if spec.users is None else {}, {}, {}, {}), []
    declared = spec.users or ()
    people = await context.directory.users.search(
        lambda known: _resolve_users(known, declared)[1], context.users_newer_than, fresh=fresh
    )
    wanted, missing = _resolve_users(people, declared)
    shown = {entry.id for entry in acl.users}
    gone = {key for key in (*wanted, *applied) if key not in shown and _status(people, key) == ACTIVE}
    if fresh and gone & set(applied):
        # A list that is old may tell a status that hides nobody.
        people = await context.directory.users.get(newer_than=context.users_newer_than)
        wanted, missing = _resolve_users(people, declared)
    known = {*wanted, *applied, *shown}
    names = {key: people.label(key) if key in people.by_id else applied[key].name for key in known - shown}
    names |= {key: people.label(key) for key in shown if key in people.by_id}
    states = {key: people.by_id[key].status for key in known if key in people.by_id}
    return Side(USERS, None if spec.users is None else wanted, {}, names, states), missing


def _status(people: UserIndex, user_id: str) -> str:
    user = people.by_id.get(user_id)
    return user.status if user else DELETED


def _resolve_users(people: UserIndex, declared: Sequence[UserRole]) -> tuple[dict[str, str], list[str]]:
    wanted: dict[str, str] = {}
    missing = []
    for item in declared:
        user = people.find(item.user)
        if user is None:
            missing.append(f"user {item.user}")
        else:
            wanted[user.id] = greater(wanted.get(user.id), str(item.role))
    return wanted, missing


async def _groups(
    context: Context, resource: Resource, spec: TemplateACLSpec, template: records.Template
) -> tuple[dict[str, str] | None, dict[str, str], tuple[str, ...], tuple[str, ...]]:
    """Roles and names by id; who does not exist in Coder; which CoderGroup has no group there yet."""
    if spec.groups is None:
        return None, {}, (), ()
    wanted: dict[str, str] = {}
    names: dict[str, str] = {}
    unknown, awaited = [], []
    for item in spec.groups:
        if item.group_ref is None:
            name = item.name or ""
            found = await _named_group(context, template.organization_id, name)
        else:
            name = item.group_ref.name
            found = _referred_group(context, resource, item.group_ref, template)
        if found is not None:
            wanted[found] = greater(wanted.get(found), str(item.role))
            names[found] = name
        elif item.group_ref is None:
            unknown.append(f"group {name}")
        else:
            awaited.append(f"{GroupKind.names.kind} {name}")
    return wanted, names, tuple(unknown), tuple(awaited)


async def _named_group(context: Context, organization_id: str, name: str) -> str | None:
    def missing(index: GroupIndex) -> tuple[str, ...]:
        return () if name in index.by_name else (name,)

    index = await context.directory.groups(organization_id).search(missing, context.users_newer_than)
    group = index.by_name.get(name)
    return group.id if group else None


def _look_in(context: Context, template: records.Template, users: Sequence[str], groups: Sequence[str]) -> float | None:
    lists = [
        *((context.directory.users,) if users else ()),
        *((context.directory.groups(template.organization_id),) if groups else ()),
    ]
    return min((item.look_in for item in lists), default=None)


def _group_key(resource: Resource, reference: GroupReference) -> Key:
    return Key(GroupKind.names.kind, resource.key.namespace, reference.name)


def _referred_group(
    context: Context, resource: Resource, reference: GroupReference, template: records.Template
) -> str | None:
    key = _group_key(resource, reference)
    other = context.cluster.find(key)
    if other is None or other.deleting or other.external_id is None:
        return None
    if other.deployment != resource.deployment:
        raise stalled(
            Reason.INVALID_REFERENCE,
            f"spec.groups: {key} belongs to another CoderDeployment; name a group of this one",
        )
    if other.external_id == template.organization_id:
        raise stalled(Reason.INVALID_REFERENCE, f"spec.groups: {key} is {EVERYONE}; declare its role by spec.everyone")
    return other.external_id


# Planning and reporting


def _everyone_changes(desired: TemplateACLSpec, observed: ObservedACL, recorded: Mapping[str, Any]) -> list[Change]:
    if desired.everyone is Everyone.UNMANAGED:
        return []
    current = observed.everyone if observed.groups_shown else recorded.get("everyone")
    enough = desired.additive and desired.everyone is Everyone.USE and current == Role.ADMIN
    if current == desired.everyone or enough:
        return []
    after = str(desired.everyone)
    return [Change(Action.UPDATE, EVERYBODY, current, after, subject=observed.template.organization_id)]


async def _write(context: Context, template_id: str, changes: Sequence[Change]) -> None:
    if not changes:
        return
    try:
        await context.client.templates.update_acl(template_id, request_for(changes))
    except errors.BadRequest:
        taken = [change for change in changes if takes(change)]
        if not taken:
            raise
        # Old servers do not change the entry of what is gone, and with it refuse all else.
        others = [change for change in changes if not takes(change)]
        if others:
            await context.client.templates.update_acl(template_id, request_for(others))
        for change in taken:
            await _take(context, template_id, change)


async def _take(context: Context, template_id: str, change: Change) -> None:
    try:
        await context.client.templates.update_acl(template_id, request_for([change]))
    except errors.BadRequest as error:
        if not set(error.validations) & {"user_perms", "group_perms"}:
            raise


def _kept(
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


def _kept_everyone(
    desired: TemplateACLSpec, observed: ObservedACL, changes: Sequence[Change], recorded: Mapping[str, Any]
) -> dict[str, AppliedEntry]:
    """Only when this object gave Everyone its role: else deletion would hide a template that all had."""
    everyone = observed.template.organization_id
    known = applied_entries(recorded, GROUPS)
    given = any(change.path == EVERYBODY and gives(change, GROUPS, known) for change in changes)
    lost = observed.groups_shown and observed.everyone != Everyone.USE
    if desired.everyone is not Everyone.USE or lost or not (given or everyone in known):
        return {}
    return {everyone: AppliedEntry(id=everyone, name=EVERYONE, role=Role.USE)}


def _everyone_now(observed: ObservedACL, changes: Sequence[Change], recorded: Mapping[str, Any]) -> str | None:
    if observed.groups_shown:
        return observed.everyone
    made = [str(change.after) for change in changes if change.path == EVERYBODY]
    known = recorded.get("everyone")
    return made[0] if made else str(known) if known else None


def _visibility(observed: ObservedACL) -> tuple[DomainCondition, str]:
    if observed.groups_shown:
        return DomainCondition("GroupsVisible", "True", Reason.GROUPS_SHOWN, "the server tells the roles of groups"), ""
    message = "the server does not tell the roles of groups: they are as applied last, and their drift is not noticed"
    return DomainCondition("GroupsVisible", "False", Reason.GROUPS_NOT_SHOWN, message), f"; {message}"
