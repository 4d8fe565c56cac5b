"""What Coder says of a person or of a template, from the lists that the operator shares among its objects.

Asked by `page.inquiries`. The lists may be as old as some seconds, so that an answer costs a search and mostly nothing
more; what would cost more than `MAX_ACLS` further requests is left out, and counted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from coder_enterprise.client import records
from coder_enterprise.client.clock import now
from coder_enterprise.client.concurrency import together
from coder_enterprise.client.directory import Directory
from coder_enterprise.client.indexes import UserIndex

GROUPS_AGE: Final = 60.0
TEMPLATES_AGE: Final = 300.0
ACL_AGE: Final = 60.0
"""Seconds that lists may be old, as those before it."""
MAX_ORGANIZATIONS: Final = 5
MAX_ACLS: Final = 8
"""Which a question may read beside those that are known."""
MAX_NAMES: Final = 50
"""Of one group."""
EVERY_TEMPLATE: Final = frozenset({"owner", "template-admin"})
"""Site roles of Coder whose holders may use and change all templates."""


class Membership(NamedTuple):
    group_id: str
    group: str
    organization: str


class Grant(NamedTuple):
    """A role on a template."""

    template_id: str
    template: str
    organization: str
    role: str
    group_id: str
    """Through which group; "" for the person themselves, or by a role in the deployment."""
    through: str
    """In words."""


@dataclass(frozen=True)
class Person:
    user: records.User
    organizations: tuple[str, ...]
    memberships: tuple[Membership, ...] = ()
    grants: tuple[Grant, ...] = ()
    everywhere: str = ""
    """The site role that lets them use all templates."""
    unread: int = 0
    """Templates whose permissions were not looked at."""
    silent: bool = False
    """The server does not tell which groups have a role."""


@dataclass(frozen=True)
class People:
    """Who is meant."""

    users: tuple[records.User, ...] = ()
    person: Person | None = None
    """When it is one."""
    trouble: str = ""
    """Why Coder has not said it."""


class Entry(NamedTuple):
    """Who has a role on a template."""

    id: str
    kind: str
    """user, group or everyone."""
    name: str
    role: str
    size: int | None = None
    """Members of the group."""
    members: tuple[str, ...] = ()
    """The first of them, as far as their names are known."""


@dataclass(frozen=True)
class Access:
    template: records.Template | None = None
    organization: str = ""
    entries: tuple[Entry, ...] = ()
    silent: bool = False
    trouble: str = ""


@dataclass(frozen=True)
class Templates:
    found: tuple[tuple[str, records.Template], ...] = ()
    """With the name of the organization."""
    trouble: str = ""


# People


async def find_people(directory: Directory, text: str) -> People:
    """Raises `CoderError`."""
    words = text.lower().split()
    searched = max(re.split(r"[^\w.@+-]+", text), key=len)  # what else it has would be Coder's language of queries
    users = await directory.search_users(searched) if searched else ()
    exact = [user for user in users if text.lower() in {user.email.lower(), user.username.lower(), user.id}]
    meant = exact or [user for user in users if all(word in _names(user) for word in words)]
    person = await _person(directory, meant[0]) if len(meant) == 1 else None
    return People(tuple(meant), person)


def _names(user: records.User) -> str:
    return f"{user.email} {user.username} {user.name or ''} {user.id}".lower()


async def _person(directory: Directory, user: records.User) -> Person:
    organizations = await directory.organizations()
    mine = [item for item in organizations if not user.organization_ids or item.id in user.organization_ids]
    mine = mine[:MAX_ORGANIZATIONS]
    everywhere = sorted(user.site_roles & EVERY_TEMPLATE)
    person = Person(user, tuple(item.name for item in mine), everywhere=everywhere[0] if everywhere else "")
    memberships = [found for item in mine for found in await _memberships(directory, item, user)]
    templates = await _templates(directory, mine)
    acls = await _acls(directory, [template.id for _, template in templates])
    grants = [
        grant
        for organization, template in templates
        if template.id in acls
        for grant in _grants(organization, template, acls[template.id], user, memberships)
    ]
    silent = any(acl.group is None for acl in acls.values())
    unread = len(templates) - len(acls)
    return replace(person, memberships=tuple(memberships), grants=tuple(grants), silent=silent, unread=unread)


async def _memberships(
    directory: Directory, organization: records.Organization, user: records.User
) -> Sequence[Membership]:
    groups = await directory.groups(organization.id).get(now() - GROUPS_AGE)
    mine = (group for group in groups.by_id.values() if group.is_everyone or user.id in group.member_ids)
    return sorted((Membership(group.id, group.name, organization.name) for group in mine), key=lambda item: item.group)


async def _templates(
    directory: Directory, organizations: Sequence[records.Organization]
) -> list[tuple[str, records.Template]]:
    found = []
    for organization in organizations[:MAX_ORGANIZATIONS]:
        index = await directory.templates(organization.id).get(now() - TEMPLATES_AGE)
        found += [(organization.name, template) for template in index.by_id.values()]
    return sorted(found, key=lambda item: (item[1].name, item[0]))


async def _acls(directory: Directory, template_ids: Sequence[str]) -> dict[str, records.TemplateACL]:
    """Those that are known, and some more."""
    lists = {template_id: directory.template_acl(template_id) for template_id in template_ids}
    missing = [template_id for template_id, snapshot in lists.items() if snapshot.value is None]
    await together(lists[template_id].get() for template_id in missing[:MAX_ACLS])
    return {template_id: acl for template_id, item in lists.items() if (acl := item.value) is not None}


def _grants(
    organization: str,
    template: records.Template,
    acl: records.TemplateACL,
    user: records.User,
    memberships: Sequence[Membership],
) -> Sequence[Grant]:
    groups = {item.group_id: item.group for item in memberships}
    groups[template.organization_id] = f"every member of {organization}"
    found = [(entry.role, "", "themselves") for entry in acl.users if entry.id == user.id]
    found += [(entry.role, entry.id, groups[entry.id]) for entry in acl.group or () if entry.id in groups]
    return [Grant(template.id, template.name, organization, role, *through) for role, *through in found]


# Templates


async def find_templates(directory: Directory) -> Templates:
    """Raises `CoderError`."""
    return Templates(tuple(await _templates(directory, await directory.organizations())))


async def find_access(directory: Directory, template_id: str) -> Access:
    """Raises `CoderError`, such as `NotFound`."""
    template = await directory.template(template_id).get(now() - TEMPLATES_AGE)
    acl = await directory.template_acl(template_id).get(now() - ACL_AGE)
    names = {item.id: item.name for item in await directory.organizations()}
    organization = names.get(template.organization_id, template.organization_id)
    groups = await directory.groups(template.organization_id).get(now() - GROUPS_AGE) if acl.group else None
    people = directory.users.value or UserIndex(())
    entries = [Entry(entry.id, "user", _label(people, entry), entry.role) for entry in acl.users]
    for entry in acl.group or ():
        if entry.id == template.organization_id:
            entries.append(Entry(entry.id, "everyone", f"every member of {organization}", entry.role))
        else:
            entries.append(_group(entry, groups.by_id.get(entry.id) if groups else None, people))
    return Access(template, organization, tuple(entries), silent=acl.group is None)


def _label(people: UserIndex, entry: records.ACLEntry) -> str:
    return people.label(entry.id) if entry.id in people.by_id else entry.name or entry.id


def _group(entry: records.ACLEntry, group: records.Group | None, people: UserIndex) -> Entry:
    if group is None:
        return Entry(entry.id, "group", entry.name or entry.id, entry.role)
    members = sorted(people.label(user_id) for user_id in group.member_ids if user_id in people.by_id)
    return Entry(entry.id, "group", group.name, entry.role, len(group.member_ids), tuple(members[:MAX_NAMES]))
