"""Templates. A deleted template's row stays without its key; its name becomes free, and nobody sees it.

Who sees a template is one condition, `_granted`, which is part of every query here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Boolean, ColumnElement, Select, Uuid, and_, bindparam, exists, insert, or_, select, update

from coder_enterprise.server.storage.database import Connection, unique
from coder_enterprise.server.storage.schema import (
    group_members,
    organization_members,
    organizations,
    template_groups,
    template_users,
    templates,
    users,
)


class Template(NamedTuple):
    id: UUID
    organization_id: UUID
    name: str
    display_name: str
    description: str
    icon: str
    active_version_id: UUID
    settings: dict[str, Any]
    created_by_id: UUID
    created_at: datetime
    updated_at: datetime
    organization_name: str
    organization_display_name: str
    created_by_name: str
    administered: bool
    """Whether an entry of its ACL lets the one who asks change it."""


class Access(NamedTuple):
    """Who asks."""

    actor_id: UUID
    sees_all: bool


_ACTOR = bindparam("actor_id", type_=Uuid)


def _granted(*roles: str) -> ColumnElement[bool]:
    """An entry for the actor, or, when the actor is in the template's organization, for one of the actor's groups."""
    groups_of_actor = (
        select(group_members.c.group_id)
        .where(group_members.c.user_id == _ACTOR)
        .union_all(select(organization_members.c.organization_id).where(organization_members.c.user_id == _ACTOR))
    )
    to_user = exists().where(
        template_users.c.template_id == templates.c.id,
        template_users.c.user_id == _ACTOR,
        template_users.c.role.in_(roles),
    )
    is_member = exists().where(
        organization_members.c.organization_id == templates.c.organization_id,
        organization_members.c.user_id == _ACTOR,
    )
    to_group = exists().where(
        template_groups.c.template_id == templates.c.id,
        template_groups.c.group_id.in_(groups_of_actor),
        template_groups.c.role.in_(roles),
    )
    return or_(to_user, and_(is_member, to_group))


# Statements are built once: building one costs more than running it.
_COLUMNS = tuple(templates.c[name] for name in Template._fields[:-4])
_VISIBLE: Select[Any] = (
    select(
        *_COLUMNS,
        organizations.c.name,
        organizations.c.display_name,
        users.c.username,
        _granted("admin").label("administered"),
    )
    .select_from(templates)
    .join(organizations, organizations.c.id == templates.c.organization_id)
    .join(users, users.c.id == templates.c.created_by_id)
    .where(templates.c.name_key.is_not(None), or_(bindparam("sees_all", type_=Boolean), _granted("admin", "use")))
)
_GET = _VISIBLE.where(templates.c.id == bindparam("template_id"))
_OF_ORGANIZATION = _VISIBLE.where(templates.c.organization_id == bindparam("organization_id"))
_BY_NAME = _OF_ORGANIZATION.where(templates.c.name_key == bindparam("key"))
_LIST = _OF_ORGANIZATION.order_by(templates.c.name_key)
_LOCK = select(templates.c.id).where(templates.c.id == bindparam("template_id")).with_for_update()


def get(connection: Connection, template_id: UUID, access: Access) -> Template | None:
    row = connection.execute(_GET, {"template_id": template_id, **access._asdict()}).first()
    return Template(*row) if row else None


def by_name(connection: Connection, organization_id: UUID, name: str, access: Access) -> Template | None:
    """Without regard to case."""
    values = {"organization_id": organization_id, "key": name.lower(), **access._asdict()}
    row = connection.execute(_BY_NAME, values).first()
    return Template(*row) if row else None


def of_organization(connection: Connection, organization_id: UUID, access: Access) -> list[Template]:
    """By name."""
    rows = connection.execute(_LIST, {"organization_id": organization_id, **access._asdict()})
    return [Template(*row) for row in rows]


def create(connection: Connection, template: Template) -> None:
    """Raises `Duplicate` when the organization has a template of that name, in any case."""
    values = {column.name: getattr(template, column.name) for column in _COLUMNS}
    with unique(connection):
        connection.execute(insert(templates), values | {"name_key": template.name.lower()})


def update_fields(connection: Connection, template_id: UUID, values: Mapping[str, Any]) -> None:
    """Raises `Duplicate` like `create`."""
    keys = {"name_key": values["name"].lower()} if "name" in values else {}
    with unique(connection):
        connection.execute(update(templates).where(templates.c.id == template_id).values(**values, **keys))


def delete(connection: Connection, template_id: UUID, moment: datetime) -> None:
    """Frees the name; the row stays."""
    query = update(templates).where(templates.c.id == template_id)
    connection.execute(query.values(name_key=None, updated_at=moment))


def lock(connection: Connection, template_id: UUID) -> None:
    """Until the end of the transaction nobody else changes the template's ACL."""
    connection.execute(_LOCK, {"template_id": template_id})
