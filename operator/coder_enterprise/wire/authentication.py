"""Logging in with a password."""

from __future__ import annotations

from pydantic import Field

from coder_enterprise.wire.common import WireModel


class LoginRequest(WireModel):
    email: str
    password: str = Field(repr=False)


class LoginResponse(WireModel):
    session_token: str = Field(repr=False)
