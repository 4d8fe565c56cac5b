"""Requests and answers that carry a secret do not show it when they are printed."""

from __future__ import annotations

from coder_enterprise.wire.authentication import LoginRequest, LoginResponse
from coder_enterprise.wire.common import WireModel
from coder_enterprise.wire.users import CreateFirstUserRequest, CreateUserRequest

SECRET = "correct-Horse-7-battery"


def test_no_secret_is_in_the_text_of_a_model() -> None:
    models: list[WireModel] = [
        LoginRequest(email="a@b.de", password=SECRET),
        LoginResponse(session_token=SECRET),
        CreateUserRequest(email="a@b.de", username="a", password=SECRET),
        CreateFirstUserRequest(email="a@b.de", username="a", password=SECRET),
    ]
    assert SECRET not in f"{models!r} {[str(model) for model in models]}"
