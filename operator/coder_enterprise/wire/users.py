"""Users, as the API shows them, and the requests that make and change them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final, Literal, get_args
from uuid import UUID

from pydantic import Field, PlainSerializer

from coder_enterprise.wire.common import WireModel
from coder_enterprise.wire.profiles import Shape, View

LoginType = Literal["", "password", "github", "oidc", "token", "none"]
DocumentedStatus = Literal["active", "suspended"]
UserStatus = Literal["active", "dormant", "suspended"]

LOGIN_TYPES: Final[tuple[str, ...]] = tuple(name for name in get_args(LoginType) if name)
STATUSES: Final[tuple[str, ...]] = get_args(UserStatus)


def _documented_status(status: str) -> DocumentedStatus:
    """The page knows no dormant users; they may log in, so they are active to it."""
    return "suspended" if status == "suspended" else "active"


class Role(WireModel):
    name: str
    display_name: str


class AssignableRole(Role):
    """Permissions are those of Coder's own roles, and are not listed."""

    organization_id: str = ""
    site_permissions: list[str] = Field(default_factory=list)
    organization_permissions: list[str] = Field(default_factory=list)
    organization_member_permissions: list[str] = Field(default_factory=list)
    user_permissions: list[str] = Field(default_factory=list)
    assignable: bool
    """Whether the caller may give it to somebody."""
    built_in: bool = True


class User(WireModel):
    id: UUID
    username: str
    email: str
    created_at: datetime
    last_seen_at: datetime
    status: Annotated[str, PlainSerializer(_documented_status)]
    login_type: LoginType
    organization_ids: list[UUID]
    roles: list[Role]
    avatar_url: str


class SDKUser(User):
    status: UserStatus
    name: str
    """What people call the user."""
    updated_at: datetime


class UsersResponse(WireModel):
    users: list[User]
    count: int


class SDKUsersResponse(UsersResponse):
    users: list[SDKUser]  # type: ignore[assignment]


class CreateUserRequest(WireModel):
    email: str
    username: str
    name: str = ""
    password: str = Field(default="", repr=False)
    login_type: str = ""
    user_status: str = ""
    organization_id: str = ""
    organization_ids: list[str] = Field(default_factory=list)


class CreateFirstUserRequest(WireModel):
    email: str
    username: str
    password: str = Field(repr=False)


class CreateFirstUserResponse(WireModel):
    user_id: UUID
    organization_id: UUID


class UpdateRolesRequest(WireModel):
    roles: list[str]


class UserRoles(WireModel):
    roles: list[str]
    organization_roles: dict[UUID, list[str]]
    """By organization."""


class UpdateProfileRequest(WireModel):
    username: str
    name: str = ""


class UpdatePasswordRequest(WireModel):
    old_password: str = Field(default="", repr=False)
    """Needed for one's own."""
    password: str = Field(repr=False)


class ValidatePasswordRequest(WireModel):
    password: str = Field(repr=False)


class ValidatePasswordResponse(WireModel):
    valid: bool
    details: str = ""
    """What is wrong with it."""


PASSWORD_VALIDATED: Final[Shape[ValidatePasswordResponse]] = Shape(View(ValidatePasswordResponse))
USER: Final[Shape[SDKUser]] = Shape(View(User), View(SDKUser))
USER_CREATED: Final[Shape[SDKUser]] = Shape(View(User, 201), View(SDKUser, 201))
USER_ROLES: Final[Shape[UserRoles]] = Shape(View(UserRoles))
ASSIGNABLE_ROLES: Final[Shape[Sequence[AssignableRole]]] = Shape(View(list[AssignableRole]))
USERS: Final[Shape[SDKUsersResponse]] = Shape(View(UsersResponse), View(SDKUsersResponse))
FIRST_USER_CREATED: Final[Shape[CreateFirstUserResponse]] = Shape(View(CreateFirstUserResponse, 201))
