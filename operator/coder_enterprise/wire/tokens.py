"""Session keys and API tokens, as the API shows them, and the request that makes a token.

The contract page has none of these; names and types are those of Coder's Go SDK. A key is shown once, when it is
made, and never again.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import Field

from coder_enterprise.wire.common import WireModel
from coder_enterprise.wire.profiles import Shape, View
from coder_enterprise.wire.users import LoginType


class CreateTokenRequest(WireModel):
    lifetime: int = 0
    """Nanoseconds; 0 is the default."""
    token_name: str = ""
    scope: str = ""
    scopes: list[str] = Field(default_factory=list)
    allow_list: list[str] = Field(default_factory=list)


class CreatedKey(WireModel):
    key: str = Field(repr=False)


class APIKey(WireModel):
    id: str
    user_id: UUID
    last_used: datetime
    expires_at: datetime
    created_at: datetime
    updated_at: datetime
    login_type: LoginType
    scope: str = "all"
    """One of them, for clients that know no more."""
    scopes: list[str] = Field(default_factory=lambda: ["coder:all"])
    allow_list: list[str] = Field(default_factory=lambda: ["*:*"])
    """Always every resource."""
    token_name: str
    lifetime_seconds: int


class APIKeyWithOwner(APIKey):
    username: str


class TokenConfig(WireModel):
    max_token_lifetime: int
    """Nanoseconds."""


KEY_CREATED: Final[Shape[CreatedKey]] = Shape(View(CreatedKey, 201))
API_KEY: Final[Shape[APIKey]] = Shape(View(APIKey))
TOKENS: Final[Shape[list[APIKeyWithOwner]]] = Shape(View(list[APIKeyWithOwner]))
TOKEN_CONFIG: Final[Shape[TokenConfig]] = Shape(View(TokenConfig))
