"""Users, as the API shows them, and the requests that make and change them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from coder_enterprise.wire.common import WireModel

LoginType = Literal["", "password", "github", "oidc", "token", "none"]
UserStatus = Literal["active", "dormant", "suspended"]


class Role(WireModel):
    name: str
    display_name: str


class User(WireModel):
    id: UUID
    username: str
    email: str
    created_at: datetime
    last_seen_at: datetime
    status: UserStatus
    login_type: LoginType
    organization_ids: list[UUID]
    roles: list[Role]
    avatar_url: str


class UsersResponse(WireModel):
    users: list[User]
    count: int


class CreateUserRequest(WireModel):
    email: str
    username: str
    password: str = Field(default="", repr=False)
    login_type: str = ""
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
