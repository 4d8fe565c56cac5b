"""Logging in with a password."""

from __future__ import annotations

from typing import Final

from coder_enterprise.wire.common import WireModel
from coder_enterprise.wire.profiles import Shape, View


class LoginRequest(WireModel):
    email: str
    password: str


class LoginResponse(WireModel):
    session_token: str


LOGGED_IN: Final[Shape[LoginResponse]] = Shape(View(LoginResponse, 201))
