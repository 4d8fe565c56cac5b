"""What the workspace proxy can be told, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from coder_enterprise.wsproxy.settings import Settings, SettingsError, make_settings

TOKEN = "0f:secret"


def made(**changed: Any) -> Settings:
    good: dict[str, Any] = {
        "primary_access_url": "https://coder.example.com/",
        "token": TOKEN,
        "token_file": None,
        "access_url": "",
        "wildcard": "",
    }
    return make_settings(**good | changed)


def test_good_settings_are_taken() -> None:
    settings = made(access_url="https://eu.example.com/", wildcard="*.eu.example.com")
    assert settings.primary_access_url == "https://coder.example.com"
    assert settings.access_url == "https://eu.example.com"
    assert settings.wildcard_hostname == "*.eu.example.com"


def test_the_token_is_not_shown() -> None:
    assert TOKEN not in repr(made())


def test_a_token_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f" {TOKEN}\n")
    assert made(token="", token_file=file).token == TOKEN


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"a\nb", "é".encode()])
def test_a_file_without_a_token_is_refused_without_showing_it(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=r"^CODER_PROXY_SESSION_TOKEN_FILE: ") as caught:
        made(token="", token_file=file)
    assert "a\nb" not in str(caught.value)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"primary_access_url": ""}, "CODER_PRIMARY_ACCESS_URL"),
        ({"primary_access_url": "coder.example.com"}, "CODER_PRIMARY_ACCESS_URL"),
        ({"primary_access_url": "https://coder.example.com/path"}, "CODER_PRIMARY_ACCESS_URL"),
        ({"token": ""}, "exactly one"),
        ({"token": "x\ny"}, "CODER_PROXY_SESSION_TOKEN"),
        ({"token_file": Path("/nowhere")}, "exactly one"),
        ({"token": "", "token_file": Path("/nowhere")}, "/nowhere cannot be read"),
        ({"access_url": "ftp://eu.example.com"}, "CODER_ACCESS_URL"),
        ({"access_url": "https://user@eu.example.com"}, "CODER_ACCESS_URL"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(changed: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingsError, match=named) as caught:
        made(**changed)
    assert TOKEN not in str(caught.value)
