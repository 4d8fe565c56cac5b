"""Who is in a group, changed by difference: what was sent is checked as a whole, and then added."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from coder_enterprise.server import names
from coder_enterprise.server.errors import BadRequest
from coder_enterprise.server.storage import groups, organizations
from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.groups import Group


def named(connection: Connection, group: Group, references_: Sequence[str]) -> list[UUID]:
    """The ids as they were sent. Raises `BadRequest` for what is no id, or nobody in the organization."""
    ids: list[UUID] = []
    for text in references_:
        user_id = names.as_uuid(text)
        if user_id is None:
            raise BadRequest(f"{text!r} is not a user id.", "Users are added and removed by their UUID.")
        ids.append(user_id)
    if not ids:
        return ids
    if strangers := set(ids) - organizations.members_among(connection, group.organization_id, ids):
        first = next(user_id for user_id in ids if user_id in strangers)
        raise BadRequest(f"User {first} is not a member of organization {group.organization_id}.")
    return ids


def add(connection: Connection, group: Group, added: Sequence[UUID]) -> None:
    if not added:
        return
    members = groups.member_ids(connection, group.id)
    if len(members.union(added)) < len(members) + len(added):
        first = next(user_id for at, user_id in enumerate(added) if user_id in members or user_id in added[:at])
        raise BadRequest(f"User {first} is a member of group {group.name!r} already.", "Nothing was changed.")
    groups.add_members(connection, group.id, added)
