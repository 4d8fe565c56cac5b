"""What a CoderGroup declares, and what its status says."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Final

from pydantic import Field

from coder_enterprise.client.directory import DEFAULT_ORGANIZATION
from coder_enterprise.kinds.machinery.common import ManagedSpec, ManagedStatus, Organization, Picture
from coder_enterprise.kinds.machinery.names import NAME
from coder_enterprise.kinds.machinery.schema import Cel, Immutable, KindModel, ListSet

EVERYONE: Final = "Everyone"
MAX_MEMBERS: Final = 2000
MAX_NAME: Final = 255
CREATABLE: Final = NAME
"""Names that Coder lets a group be made with."""

UserReference = Annotated[str, Field(min_length=1, max_length=254)]


class MemberMode(StrEnum):
    AUTHORITATIVE = "Authoritative"
    ADDITIVE = "Additive"
    UNMANAGED = "Unmanaged"


class Members(KindModel):
    mode: MemberMode = MemberMode.AUTHORITATIVE
    """Authoritative: exactly these users; Additive: these at least, and only those that this object added are
    ever removed; Unmanaged: members are left alone. Default: Authoritative."""
    users: Annotated[tuple[UserReference, ...], Field(max_length=MAX_MEMBERS), ListSet()] = ()
    """Users by e-mail, username or id. Those who do not exist yet are added when they appear."""

    cel: ClassVar[tuple[Cel, ...]] = (
        Cel(
            "!has(self.mode) || self.mode != 'Unmanaged' || !has(self.users) || size(self.users) == 0",
            "users must be empty when mode is Unmanaged",
            field_path=".users",
        ),
    )


class GroupSpec(ManagedSpec):
    organization: Annotated[
        Organization, Immutable("organization cannot change: delete the object and create it anew")
    ] = DEFAULT_ORGANIZATION
    """Name or id of the organization. Default: default, which is the deployment's first one."""
    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME, pattern=r"^[^\x00-\x1f\x7f]+$")] | None = None
    """Name of the group in Coder. Default: the object's own name. Of a group that an identity provider has made, it may
    have spaces, dots, slashes and letters of all languages; such a group can only be adopted."""
    display_name: Annotated[str, Field(max_length=64, pattern=r"^([^\t-\r ](.*[^\t-\r ])?)?$")] | None = None
    """What people see in place of the name; "" clears it."""
    avatar_url: Annotated[
        Picture | None,
        Field(alias="avatarURL"),
    ] = None
    """Picture: an http(s) URL, or a path on the deployment such as /emojis/1f680.png; "" clears it."""
    quota_allowance: Annotated[int, Field(ge=0, le=2_147_483_647)] | None = None
    """Credits per day that each member may use through this group."""
    members: Members | None = None
    """Who is in the group; left out, members are left alone."""

    cel: ClassVar[tuple[Cel, ...]] = (
        Cel(
            "!has(self.name) || self.name != 'Everyone' || !has(self.members) || "
            "(has(self.members.mode) && self.members.mode == 'Unmanaged')",
            "the members of Everyone follow the organization: leave members out",
            field_path=".members",
        ),
        Cel(
            "!has(self.name) || self.name != 'Everyone' || !has(self.displayName) || self.displayName == ''",
            "Everyone cannot have a display name",
            field_path=".displayName",
        ),
        Cel(
            f"!has(self.name) || self.name.matches('{CREATABLE}') || "
            "(has(self.adoptionPolicy) && self.adoptionPolicy != 'Fail') || "
            "(has(self.managementPolicy) && self.managementPolicy != 'Enforce')",
            "only an identity provider makes a group of such a name: set adoptionPolicy to Adopt or AdoptIfIdentical, "
            "or use letters and digits, joined by single hyphens",
            field_path=".name",
        ),
        Cel(
            "!has(self.name) || !(self.name in ['new', 'create'])",
            "new and create are reserved by Coder",
            field_path=".name",
        ),
        *ManagedSpec.cel,
        Cel(
            "has(self.organization) == has(oldSelf.organization)",
            "organization cannot change: delete the object and create it anew",
            field_path=".organization",
        ),
    )

    @property
    def member_mode(self) -> MemberMode:
        return self.members.mode if self.members else MemberMode.UNMANAGED


class GroupStatus(ManagedStatus):
    id: Annotated[str, Field(max_length=64)] | None = None
    """The group's id in Coder."""
    name: Annotated[str, Field(max_length=MAX_NAME)] | None = None
    """The group's name in Coder."""
    source: Annotated[str, Field(max_length=32)] | None = None
    """user, or oidc for a group that the identity provider fills."""
    member_count: int | None = None
    """How many members the group has in Coder; not counted for Everyone."""
    pending_members: Annotated[tuple[UserReference, ...], Field(max_length=MAX_MEMBERS), ListSet()] | None = None
    """Declared users who do not exist in Coder, or are not in the organization, yet."""
    unmanaged_members: int | None = None
    """How many members Coder has that this object does not declare."""
    managed_members: Annotated[tuple[UserReference, ...], Field(max_length=2 * MAX_MEMBERS), ListSet()] | None = None
    """Ids of the members that this object added, in mode Additive."""
    hidden_members: Annotated[tuple[UserReference, ...], Field(max_length=MAX_MEMBERS), ListSet()] | None = None
    """Ids of declared members who are dormant or suspended, whom this version of Coder does not show."""
