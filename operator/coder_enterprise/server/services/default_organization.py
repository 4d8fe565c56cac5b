"""The organization that is there from the first start, and the group that every organization has."""

from __future__ import annotations

from typing import Final
from uuid import uuid4

from coder_enterprise.server.services.clock import now
from coder_enterprise.server.storage import groups, organizations
from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.groups import Group
from coder_enterprise.server.storage.organizations import Organization

FIRST_NAME: Final = "coder"
FIRST_DISPLAY_NAME: Final = "Coder"
EVERYONE: Final = "Everyone"


def ensure_default(connection: Connection) -> Organization:
    """The first organization and its Everyone, made at the first start."""
    known = organizations.default(connection)
    if known is not None:
        return known
    moment = now()
    organization = Organization(uuid4(), FIRST_NAME, FIRST_DISPLAY_NAME, True, moment, moment)
    organizations.create(connection, organization)
    groups.create(
        connection,
        Group(
            id=organization.id,
            organization_id=organization.id,
            name=EVERYONE,
            display_name="",
            avatar_url="",
            quota_allowance=0,
            source="user",
            organization_name=organization.name,
            organization_display_name=organization.display_name,
        ),
    )
    return organization
