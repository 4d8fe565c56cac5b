"""Who may use and administer a template.

A change is merged: what is not named is kept, and the role "" deletes. Everyone is the group with the organization's
id. Neither users nor groups need to be of the template's organization; a group's entry then helps those of its
members who are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final
from uuid import UUID

from coder_enterprise.server import access, names
from coder_enterprise.server.access import Actor, Kind, Subject
from coder_enterprise.server.errors import BadRequest, NotFound, RequestError
from coder_enterprise.server.services import audit, people, people_search, references, template_access
from coder_enterprise.server.services.entitlements import Entitlements, Feature
from coder_enterprise.server.services.group_views import all_to_wire
from coder_enterprise.server.services.paging import Page
from coder_enterprise.server.storage import groups as group_rows
from coder_enterprise.server.storage import template_acls
from coder_enterprise.server.storage import templates as template_rows
from coder_enterprise.server.storage import users as user_rows
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.server.storage.groups import Group
from coder_enterprise.server.storage.templates import Template
from coder_enterprise.server.storage.users import User
from coder_enterprise.wire.common import SDKResponse
from coder_enterprise.wire.groups import SDKGroup
from coder_enterprise.wire.template_acls import (
    SDKACLAvailable,
    SDKTemplateUser,
    TemplateACL,
    TemplateGroup,
    UpdateTemplateACLRequest,
)
from coder_enterprise.wire.users import SDKUser

ROLES: Final = ("admin", "use", "")


class TemplateACLs:
    def __init__(self, database: Database, entitlements: Entitlements) -> None:
        self._database = database
        self._entitlements = entitlements

    async def get(self, actor: Actor, reference: str) -> TemplateACL:
        """Raises `BadRequest` for what is no id, `NotFound`, and `Forbidden` for one who may only use it."""
        self._entitlements.require(Feature.TEMPLATE_RBAC)
        template_id = references.uuid_parameter("template", reference)

        def work(connection: Connection) -> TemplateACL:
            row = template_access.changeable(connection, actor, template_id)
            return TemplateACL(users=_users(connection, actor, row), group=_groups(connection, actor, row))

        return await self._database.read(work)

    async def available(self, actor: Actor, reference: str, query: str, page: Page) -> SDKACLAvailable:
        """Whom an entry could name: all users by username, and the groups of the organization.

        Raises `BadRequest` for what cannot be read, and `NotFound`, also for one who may only use the template.
        """
        self._entitlements.require(Feature.TEMPLATE_RBAC)
        template_id = references.uuid_parameter("template", reference)
        which = (people_search.parse_query if _reads_people(actor) else people_search.parse_names_query)(query)

        def work(connection: Connection) -> SDKACLAvailable:
            row = template_access.visible(connection, actor, template_id)
            if not template_access.may_change(actor, row):
                raise NotFound
            found = user_rows.page(connection, which._replace(after_id=page.after_id), page.limit, page.offset)
            home = row.organization_id
            return SDKACLAvailable.model_construct(
                users=_people(connection, actor, found),
                groups=all_to_wire(connection, actor, home, group_rows.of_organization(connection, home)),
            )

        return await self._database.read(work)

    async def patch(self, actor: Actor, reference: str, request: UpdateTemplateACLRequest) -> SDKResponse:
        """Raises `NotFound`, `Forbidden`, and `BadRequest` for a role or a subject that does not exist."""
        self._entitlements.require(Feature.TEMPLATE_RBAC)
        template_id = references.uuid_parameter("template", reference)
        await self._database.write_as(actor, lambda connection, actor: _patch(connection, actor, template_id, request))
        return SDKResponse(message="Successfully updated template ACL list.")


def _reads_people(actor: Actor) -> bool:
    return access.sees(actor, Subject(Kind.USER))


def _people(connection: Connection, actor: Actor, rows: Sequence[User]) -> list[SDKUser]:
    """Who administers a template names people; who may not read them sees no more than it takes to tell them apart."""
    if _reads_people(actor):
        return people.all_to_wire(connection, rows)
    return [people.named(row) for row in rows]


def _users(connection: Connection, actor: Actor, row: Template) -> list[SDKTemplateUser]:
    entries = template_acls.users_with_roles(connection, row.id)
    people = _people(connection, actor, [user for user, _ in entries])
    return [
        SDKTemplateUser.model_construct(**person.__dict__, role=role)  # type: ignore[arg-type]
        for person, (_, role) in zip(people, entries, strict=True)
    ]


def _groups(connection: Connection, actor: Actor, row: Template) -> list[TemplateGroup]:
    """With two queries for each organization whose groups have an entry: mostly one."""
    entries = template_acls.groups_with_roles(connection, row.id)
    homes: dict[UUID, list[Group]] = {}
    for group, _ in entries:
        homes.setdefault(group.organization_id, []).append(group)
    shown: dict[UUID, SDKGroup] = {
        group.id: group for home, found in homes.items() for group in all_to_wire(connection, actor, home, found)
    }
    return [TemplateGroup.model_construct(**shown[group.id].__dict__, role=role) for group, role in entries]  # type: ignore[arg-type]


def _patch(connection: Connection, actor: Actor, template_id: UUID, request: UpdateTemplateACLRequest) -> None:
    row = template_access.changeable(connection, actor, template_id)
    template_rows.lock(connection, row.id)
    people, user_problems = _read(request.user_perms, lambda ids: user_rows.living(connection, ids))
    crowds, group_problems = _read(request.group_perms, lambda ids: group_rows.existing(connection, ids))
    if user_problems or group_problems:
        raise _refused(user_perms=user_problems, group_perms=group_problems)
    before = _entries(connection, row, people, crowds)
    template_acls.put_users(connection, row.id, people)
    template_acls.put_groups(connection, row.id, crowds)
    after = _entries(connection, row, people, crowds)
    if after != before:
        resource = ("template", row.id, row.name)
        home_id = row.organization_id
        audit.record(connection, actor.id, "write", resource, before=before, after=after, organization_id=home_id)
    if template_rows.get(connection, row.id, template_access.access_of(actor)) is None:
        raise BadRequest(
            "This would take away your own access to the template.",
            "Nothing was changed; ask somebody else who administers the template to do it.",
        )


def _read(
    sent: Mapping[str, str | None], existing: Callable[[Sequence[UUID]], set[UUID]]
) -> tuple[dict[UUID, str], list[str]]:
    """Roles by id, in whatever spelling the ids came, and what is wrong. Whom nobody knows can still be deleted."""
    roles: dict[UUID, str] = {}
    problems: list[str] = []
    for key, role in sent.items():
        subject = names.as_uuid(key)
        if subject is None:
            problems.append(f"{key!r} is not a UUID")
        elif subject in roles:
            problems.append(f"{subject} is named twice")
        elif (role or "") not in ROLES:
            problems.append(f'{role!r} is not a role; there are "admin", "use", and "" to delete')
        else:
            roles[subject] = role or ""
    wanted = [subject for subject, role in roles.items() if role]
    known = existing(wanted) if wanted else set()
    problems += [f"{subject} does not exist" for subject in wanted if subject not in known]
    return roles, problems


def _refused(**problems: Sequence[str]) -> RequestError:
    validations = {field: "; ".join(texts) for field, texts in problems.items() if texts}
    return BadRequest("Invalid request to update template ACL.", validations=validations)


def _entries(
    connection: Connection, row: Template, people: Mapping[UUID, str], crowds: Mapping[UUID, str]
) -> dict[str, dict[str, str]]:
    user_roles = template_acls.user_roles(connection, row.id, list(people))
    group_roles = template_acls.group_roles(connection, row.id, list(crowds))
    return {
        "user_acl": {str(key): role for key, role in user_roles.items()},
        "group_acl": {str(key): role for key, role in group_roles.items()},
    }
