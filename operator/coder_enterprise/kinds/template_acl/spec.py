"""What a CoderTemplateACL declares, and what its status says."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field

from coder_enterprise.client.directory import DEFAULT_ORGANIZATION
from coder_enterprise.kinds.group import MAX_NAME, UserReference
from coder_enterprise.kinds.machinery.common import ManagedSpec, ManagedStatus, ObjectName, Organization
from coder_enterprise.kinds.machinery.names import NAME
from coder_enterprise.kinds.machinery.schema import Cel, KindModel, ListMap, ListSet


class Role(StrEnum):
    USE = "use"
    ADMIN = "admin"


class Everyone(StrEnum):
    USE = "use"
    NONE = "none"
    UNMANAGED = "unmanaged"


class AppliedEntry(KindModel):
    id: Annotated[str, Field(max_length=64)]
    """Id of the user or group in Coder."""
    name: Annotated[str, Field(max_length=MAX_NAME)] = ""
    role: Annotated[str, Field(max_length=16)]
    replaced: Annotated[str, Field(max_length=16)] | None = None
    """The role that somebody else had given; it is what remains when this object takes its own away."""
    hidden: Annotated[str, Field(max_length=32)] | None = None
    """Why Coder does not show this entry, so that it cannot be compared: the user's status, such as dormant."""

    def dump(self) -> dict[str, Any]:
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


MAX_USERS: Final = 500
MAX_GROUPS: Final = 100
MAX_PENDING_TEXT: Final = 300


class Mode(StrEnum):
    AUTHORITATIVE = "Authoritative"
    ADDITIVE = "Additive"


class TemplateReference(KindModel):
    organization: Organization = DEFAULT_ORGANIZATION
    """Name or id of the template's organization. Default: default, which is the deployment's first one."""
    name: Annotated[str, Field(min_length=1, max_length=64, pattern=NAME)] | None = None
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
