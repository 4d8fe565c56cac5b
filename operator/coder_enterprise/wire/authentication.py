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


LOGGED_IN: Final[Shape[LoginResponse]] = Shape(View(LoginResponse, 201))
