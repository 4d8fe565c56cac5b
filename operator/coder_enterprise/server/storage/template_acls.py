"""Who may use and administer a template: a role for each user and each group that has one.

Deleting a group deletes its entries; those of a deleted user stay and are not shown.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final
from uuid import UUID

from sqlalchemy import Table, bindparam, delete, insert, select

from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.groups import Group
from coder_enterprise.server.storage.schema import groups, organizations, template_groups, template_users, users
from coder_enterprise.server.storage.users import COLUMNS, User

# Statements are built once: building one costs more than running it.
_USERS: Final = (
    select(*COLUMNS, template_users.c.role)
    .join(template_users)
    .where(~users.c.deleted, users.c.status != "suspended", template_users.c.template_id == bindparam("template_id"))
)
_GROUPS: Final = (
    select(groups, organizations.c.name, organizations.c.display_name, template_groups.c.role)
    .join(organizations, organizations.c.id == groups.c.organization_id)
    .join(template_groups, template_groups.c.group_id == groups.c.id)
    .where(template_groups.c.template_id == bindparam("template_id"))
)


def users_with_roles(connection: Connection, template_id: UUID) -> list[tuple[User, str]]:
    """Without those who are deleted or suspended."""
    rows = connection.execute(_USERS, {"template_id": template_id})
    return [(User(*row[:-1]), row[-1]) for row in rows]


def groups_with_roles(connection: Connection, template_id: UUID) -> list[tuple[Group, str]]:
    rows = connection.execute(_GROUPS, {"template_id": template_id})
    return [(Group(*row[:-1]), row[-1]) for row in rows]


def user_roles(connection: Connection, template_id: UUID, user_ids: Collection[UUID]) -> dict[UUID, str]:
    """Their entries, also hidden ones."""
    return _roles(connection, template_users, "user_id", template_id, user_ids)


def group_roles(connection: Connection, template_id: UUID, group_ids: Collection[UUID]) -> dict[UUID, str]:
    return _roles(connection, template_groups, "group_id", template_id, group_ids)


def put_users(connection: Connection, template_id: UUID, roles: Mapping[UUID, str]) -> None:
    """Set these entries and keep all others; "" deletes one."""
    _put(connection, template_users, "user_id", template_id, roles)


def put_groups(connection: Connection, template_id: UUID, roles: Mapping[UUID, str]) -> None:
    """Like `put_users`."""
    _put(connection, template_groups, "group_id", template_id, roles)


def _roles(
    connection: Connection, table: Table, subject: str, template_id: UUID, ids: Collection[UUID]
) -> dict[UUID, str]:
    query = select(table.c[subject], table.c.role).where(table.c.template_id == template_id, table.c[subject].in_(ids))
    return {row[0]: row[1] for row in connection.execute(query)}


def _put(connection: Connection, table: Table, subject: str, template_id: UUID, roles: Mapping[UUID, str]) -> None:
    if not roles:
        return
    connection.execute(delete(table).where(table.c.template_id == template_id, table.c[subject].in_(roles)))
    rows = [{"template_id": template_id, subject: key, "role": role} for key, role in roles.items() if role]
    if rows:
        connection.execute(insert(table), rows)
