"""What the server can be told; made by the command line from options and CODER_… variables."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from coder_enterprise.wire.profiles import Profile

TOKEN_FORM: Final = re.compile(r"[A-Za-z0-9]{10}-[A-Za-z0-9]{22}")

PORT_FORM: Final = re.compile(r"[0-9]{1,5}")


class SettingsError(ValueError):
    """A setting that cannot be used; the message names the variable and the next step."""


@dataclass(frozen=True)
class FirstUser:
    """The owner that is created when the database has no user."""

    username: str
    email: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Settings:
    host: str = "127.0.0.1"
    port: int = 3000
    """0 picks a free one."""
    access_url: str = ""
    """How others reach the server; "" is made from host and port."""
    sqlite_path: Path = Path("coder-enterprise.db")
    pg_connection_url: str = field(default="", repr=False)
    """PostgreSQL, with a password; "" is SQLite."""
    first_user: FirstUser | None = None
    bootstrap_token_file: Path | None = None
    profile: Profile = Profile.DOCUMENTED
    scim_auth_header: str = field(default="", repr=False)
    """What an identity provider sends as Authorization; "" is no SCIM at the server's root."""

    def bootstrap_token(self) -> str | None:
        """The session token in that file. Raises `SettingsError`, without ever showing what the file holds."""
        if self.bootstrap_token_file is None:
            return None
        try:
            token = self.bootstrap_token_file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            cause = getattr(error, "strerror", None) or "it is not text"
            raise SettingsError(
                f"CODER_BOOTSTRAP_TOKEN_FILE: {self.bootstrap_token_file} cannot be read: {cause}"
            ) from None
        if not TOKEN_FORM.fullmatch(token):
            raise SettingsError(
                f"CODER_BOOTSTRAP_TOKEN_FILE: {self.bootstrap_token_file} holds no session token: it must be "
                "10 letters or digits, a hyphen, and 22 letters or digits"
            )
        return token


def parse_address(address: str) -> tuple[str, int]:
    """`host:port`; an IPv6 host in brackets. Raises `SettingsError`."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if not host or not PORT_FORM.fullmatch(port) or int(port) > 65535:
        raise SettingsError(f"CODER_HTTP_ADDRESS: {address!r} is not host:port, such as 127.0.0.1:3000")
    return host, int(port)


def parse_access_url(url: str) -> str:
    """Without a slash at its end; "" stays. Raises `SettingsError`."""
    try:
        parts = urlsplit(url)
        usable = url.isprintable() and parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        usable = False
    if url and not usable:
        raise SettingsError(f"CODER_ACCESS_URL: {url!r} is not a URL such as https://coder.example.com")
    return url.rstrip("/")


def parse_profile(text: str) -> Profile:
    """Raises `SettingsError`."""
    try:
        return Profile(text)
    except ValueError:
        raise SettingsError(f"CODER_WIRE_PROFILE: {text!r} is not one of {', '.join(Profile)}") from None
