"""Logging in with a password."""

from __future__ import annotations

from coder_enterprise.wire.common import WireModel


class LoginRequest(WireModel):
    email: str
    password: str


class LoginResponse(WireModel):
    session_token: str
