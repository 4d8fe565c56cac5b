"""The ACLs of Coder's templates, as specs of CoderTemplateACLs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from coder_enterprise.client import records
from coder_enterprise.client.indexes import GroupIndex, UserIndex
from coder_enterprise.kinds.machinery.base import Context
from coder_enterprise.kinds.machinery.declarations import Declaration, organization_of, without_blanks
from coder_enterprise.kinds.template_acl.spec import Everyone, Role

UNSHOWN = "this server does not show which groups have a role: they, and everyone, are left alone"


async def acl_declarations(context: Context, names: Mapping[str, str]) -> list[Declaration]:
    """Of templates on which anybody but everyone has a role. `names` are those of CoderGroups, by id of the group."""
    people = await context.directory.users.get()
    found = []
    for organization in await context.directory.organizations():
        groups = await context.directory.groups(organization.id).get()
        templates = await context.directory.templates(organization.id).get()
        for template in templates.by_id.values():
            acl = await context.directory.template_acl(template.id).get()
            declaration = _declaration(template, organization, acl, people, groups, names)
            if declaration is not None:
                found.append(declaration)
    return found


def _declaration(
    template: records.Template,
    organization: records.Organization,
    acl: records.TemplateACL,
    people: UserIndex,
    groups: GroupIndex,
    names: Mapping[str, str],
) -> Declaration | None:
    everyone = _everyone(acl, organization)
    users = [{"user": people.label(entry.id), "role": entry.role} for entry in acl.users if entry.role in set(Role)]
    named = [entry for entry in acl.group or () if entry.id != organization.id and entry.role in set(Role)]
    if not users and not named and everyone in (None, Everyone.USE):
        return None
    spec: dict[str, Any] = {
        "template": without_blanks(
            {"organization": organization_of(organization.is_default, organization.name), "name": template.name}
        ),
        "users": sorted(users, key=lambda item: item["user"]),
        "groups": sorted((_group(entry, groups, names) for entry in named), key=str),
        "everyone": everyone and str(everyone),
    }
    notes = (UNSHOWN,) if acl.group is None else ()
    return Declaration(
        template.id,
        template.name,
        without_blanks(spec),
        organization=organization.name,
        at_home=organization.is_default,
        notes=notes + _others([*acl.users, *(acl.group or ())]),
    )


def _everyone(acl: records.TemplateACL, organization: records.Organization) -> Everyone | None:
    """None where the server does not tell."""
    if acl.group is None:
        return None
    return Everyone.USE if any(entry.id == organization.id for entry in acl.group) else Everyone.NONE


def _group(entry: records.ACLEntry, groups: GroupIndex, names: Mapping[str, str]) -> dict[str, Any]:
    if entry.id in names:
        return {"groupRef": {"name": names[entry.id]}, "role": entry.role}
    group = groups.by_id.get(entry.id)
    return {"name": group.name if group else entry.name, "role": entry.role}


def _others(entries: Sequence[records.ACLEntry]) -> tuple[str, ...]:
    odd = sorted(entry.name or entry.id for entry in entries if entry.role not in set(Role))
    return (f"permissions that are neither use nor admin are left out: {', '.join(odd)}",) if odd else ()
