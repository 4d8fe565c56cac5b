"""What the workspace proxy can be told; made by the command line from options and CODER_… variables."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_URL_FORM: Final = re.compile(r"https?://[^\s/?#@]+")


class SettingsError(ValueError):
    """A setting that cannot be used; the message names the variable and the next step."""


@dataclass(frozen=True)
class Settings:
    primary_access_url: str
    """Where the server is."""
    token: str = field(repr=False)
    access_url: str
    """How the server and others reach this proxy; "" is where it listens."""
    wildcard_hostname: str


def make_settings(
    primary_access_url: str, token: str, token_file: Path | None, access_url: str, wildcard: str
) -> Settings:
    """Raises `SettingsError`."""
    if not primary_access_url:
        raise SettingsError("CODER_PRIMARY_ACCESS_URL: is required: the access URL of the Coder server")
    return Settings(
        primary_access_url=_url("CODER_PRIMARY_ACCESS_URL", primary_access_url),
        token=_token(token, token_file),
        access_url=_url("CODER_ACCESS_URL", access_url) if access_url else "",
        wildcard_hostname=wildcard,
    )


def _url(variable: str, text: str) -> str:
    if not _URL_FORM.fullmatch(text.rstrip("/")):
        raise SettingsError(f"{variable}: {text!r} is not a URL without a path, such as https://coder.example.com")
    return text.rstrip("/")


def _token(token: str, file: Path | None) -> str:
    """From the variable or the file, without ever showing it."""
    if bool(token) == bool(file):
        raise SettingsError(
            "CODER_PROXY_SESSION_TOKEN, CODER_PROXY_SESSION_TOKEN_FILE: exactly one of them is needed: the token "
            "that was shown when the workspace proxy was created, or a file that holds it"
        )
    if file is None:
        return _one_line("CODER_PROXY_SESSION_TOKEN", token)
    try:
        return _one_line("CODER_PROXY_SESSION_TOKEN_FILE", file.read_text())
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or "it is not text"
        raise SettingsError(f"CODER_PROXY_SESSION_TOKEN_FILE: {file} cannot be read: {cause}") from None


def _one_line(variable: str, text: str) -> str:
    """What fits into a header."""
    stripped = text.strip()
    if not stripped or not stripped.isascii() or not stripped.isprintable():
        raise SettingsError(f"{variable}: holds no token: it is an id, a colon and 64 hexadecimal digits")
    return stripped
