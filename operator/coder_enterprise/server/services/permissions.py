"""Who may do what: the roles of a site, as Coder has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from coder_enterprise.server.errors import Forbidden
from coder_enterprise.server.storage.users import User


class Power(StrEnum):
    READ_USERS = "read users"
    WRITE_USERS = "create, suspend and delete users"
    ASSIGN_ROLES = "assign roles"
    READ_GROUPS = "read groups"
    WRITE_GROUPS = "create, change and delete groups"
    READ_LICENSES = "read licences"
    WRITE_LICENSES = "add and remove licences"
    WRITE_APPEARANCE = "change the appearance"
    READ_TEMPLATES = "see all templates"
    WRITE_TEMPLATES = "create, change and delete templates"
    MANAGE_KEYS = "see, create and delete the keys of others"
    READ_AUDIT = "read the audit log"
    READ_PROXIES = "read workspace proxies"
    WRITE_PROXIES = "create, change and delete workspace proxies"
    READ_REPLICAS = "read replicas"
    MANAGE_PROVISIONERS = "run provisioner daemons for everybody, and manage their keys"
    READ_WORKSPACES = "see all workspaces"
    WRITE_WORKSPACES = "create and change the workspaces of others"


_POWERS: Final[Mapping[str, frozenset[Power]]] = {
    "owner": frozenset(Power),
    "user-admin": frozenset({Power.READ_USERS, Power.WRITE_USERS, Power.READ_GROUPS, Power.WRITE_GROUPS}),
    "template-admin": frozenset(
        {
            Power.READ_USERS,
            Power.READ_GROUPS,
            Power.READ_TEMPLATES,
            Power.WRITE_TEMPLATES,
            Power.MANAGE_PROVISIONERS,
            Power.READ_WORKSPACES,
        }
    ),
    "auditor": frozenset({Power.READ_USERS, Power.READ_GROUPS, Power.READ_TEMPLATES, Power.READ_AUDIT}),
}
ROLE_NAMES: Final[Mapping[str, str]] = {
    "owner": "Owner",
    "user-admin": "User Admin",
    "template-admin": "Template Admin",
    "auditor": "Auditor",
}
"""The site roles that can be assigned, with what people see. Everybody is a member, which is never listed."""
OWNER: Final = "owner"
MEMBER: Final = "member"


@dataclass(frozen=True)
class Actor:
    """Who sends a request."""

    user: User
    key_id: str
    """Of the session token that was sent."""

    @property
    def id(self) -> UUID:
        return self.user.id

    def can(self, power: Power) -> bool:
        return any(power in _POWERS.get(role, ()) for role in self.user.roles)

    def require(self, power: Power) -> None:
        """Raises `Forbidden`."""
        if not self.can(power):
            raise Forbidden("You are not allowed to do this.", f"Your roles do not let you {power}.")
