"""Logging in with a password."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from coder_enterprise.wire.common import WireModel
from coder_enterprise.wire.profiles import Shape, View


class LoginRequest(WireModel):
    email: str
    password: str = Field(repr=False)


class LoginResponse(WireModel):
    session_token: str = Field(repr=False)


class AuthMethod(WireModel):
    enabled: bool = False


class GithubAuthMethod(AuthMethod):
    default_provider_configured: bool = False


class OIDCAuthMethod(AuthMethod):
    signInText: str = ""  # noqa: N815 - so it is in Coder
    iconUrl: str = ""  # noqa: N815


class AuthMethods(WireModel):
    """How people may log in to this server: with a password alone."""

    terms_of_service_url: str = ""
    password: AuthMethod = AuthMethod(enabled=True)
    github: GithubAuthMethod = GithubAuthMethod()
    oidc: OIDCAuthMethod = OIDCAuthMethod()


AUTH_METHODS: Final[Shape[AuthMethods]] = Shape(View(AuthMethods))
LOGGED_IN: Final[Shape[LoginResponse]] = Shape(View(LoginResponse, 201))
