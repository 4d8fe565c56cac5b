"""Whom an ACL is about: the declared users and groups, as far as they exist."""

from __future__ import annotations

from collections.abc import Sequence

from coder_enterprise.client import records
from coder_enterprise.client.indexes import GroupIndex, UserIndex
from coder_enterprise.kinds.group import EVERYONE, GroupKind
from coder_enterprise.kinds.machinery.base import Context
from coder_enterprise.kinds.machinery.errors import stalled
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Key, Resource
from coder_enterprise.kinds.template_acl.entries import ACTIVE, DELETED, USERS, Side, applied_entries, greater
from coder_enterprise.kinds.template_acl.spec import GroupReference, TemplateACLSpec, UserRole


async def find_users(
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


async def find_groups(
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


def look_in(context: Context, template: records.Template, users: Sequence[str], groups: Sequence[str]) -> float | None:
    lists = [
        *((context.directory.users,) if users else ()),
        *((context.directory.groups(template.organization_id),) if groups else ()),
    ]
    return min((item.look_in for item in lists), default=None)


def group_key(resource: Resource, reference: GroupReference) -> Key:
    return Key(GroupKind.names.kind, resource.key.namespace, reference.name)


def _referred_group(
    context: Context, resource: Resource, reference: GroupReference, template: records.Template
) -> str | None:
    key = group_key(resource, reference)
    other = context.beside.find(key)
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
