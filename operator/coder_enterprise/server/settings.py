"""What the server can be told; made by the command line from options and CODER_… variables."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from coder_enterprise.process.addresses import bracketed
from coder_enterprise.process.certificates import CertificateFiles
from coder_enterprise.wire.appearance import SupportLink
from coder_enterprise.wire.buildinfo import RELEASES, version_of
from coder_enterprise.wire.profiles import Profile

TOKEN_FORM: Final = re.compile(r"[A-Za-z0-9]{10}-[A-Za-z0-9]{22}")
MAX_RETENTION_DAYS: Final = 36500
SECONDS_OF_A_DAY: Final = 24 * 60 * 60
RELEASE_FORM: Final = re.compile(r"v\d{1,4}\.\d{1,4}\.\d{1,4}")
HEADER_FORM: Final = re.compile(r"[A-Za-z0-9-]+")

Network: TypeAlias = IPv4Network | IPv6Network


class SettingsError(ValueError):
    """A setting that cannot be used; the message names the variable and the next step."""


@dataclass(frozen=True)
class FirstUser:
    """The owner that is created when the database has no user."""

    username: str
    email: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Retention:
    """How long is kept what nobody needs any more; nothing at all is for ever."""

    audit_logs: timedelta = timedelta(days=365)
    api_keys: timedelta = timedelta(days=7)
    """After they expired."""
    job_logs: timedelta = timedelta(days=30)
    """After the job was completed."""


@dataclass(frozen=True)
class Settings:
    access_url: str = ""
    """How others reach the server; "" is where it listens."""
    sqlite_path: Path = Path("coder-enterprise.db")
    pg_connection_url: str = field(default="", repr=False)
    """PostgreSQL, with a password; "" is SQLite."""
    first_user: FirstUser | None = None
    bootstrap_token_file: Path | None = None
    license_keys_file: Path | None = None
    development_license: bool = False
    """Whether the server licenses everything for itself; not where it is told whose licences to trust."""
    support_links: tuple[SupportLink, ...] = ()
    """Without any, Coder's own are shown."""
    profile: Profile = Profile.DOCUMENTED
    announced_release: str = ""
    """Of Coder; "" is the one whose API the profile has."""
    scim_auth_header: str = field(default="", repr=False)
    """What an identity provider sends as Authorization; "" is no SCIM at the server's root."""
    rate_limit: int = 512
    """Requests a minute from one address to one path; none below 1."""
    encryption_keys: tuple[bytes, ...] = field(default=(), repr=False)
    """Of 32 bytes each, for values of template variables and private SSH keys: the first one encrypts. Without any
    they are kept as they are."""
    provisioner_daemon_psk: str = field(default="", repr=False)
    """The pre-shared key that provisioner daemons may come with; "" is none."""
    workspace_session_tokens: bool = True
    """Whether a workspace that starts gets a session token of its owner, as in Coder."""
    quiet_hours_default_schedule: str = ""
    """`CRON_TZ=<zone> <minute> <hour> * * *`; "" is midnight in UTC."""
    allow_custom_quiet_hours: bool = True
    proxy_health_interval: float = 60.0
    """Seconds between two looks at each workspace proxy."""
    trusted_headers: tuple[str, ...] = ()
    """Of proxies before the server, with the client's address; asked in this order."""
    trusted_origins: tuple[Network, ...] = ()
    """Of those proxies."""
    retention: Retention = Retention()
    relay_url: str = ""
    """Where the other replicas of the server reach this one; "" is nowhere."""
    tls: CertificateFiles | None = None
    """Nothing is plain HTTP."""
    shutdown_delay: float = 0.0
    """Seconds that it goes on serving, unready, after it was told to end."""

    @property
    def version(self) -> str:
        """What the server says that it is."""
        return version_of(self.announced_release or RELEASES[self.profile])

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

    def license_keys(self) -> dict[str, bytes]:
        """Raw Ed25519 public keys by name; none without that file. Raises `SettingsError`."""
        return read_license_keys("CODER_LICENSE_KEYS_FILE", self.license_keys_file) if self.license_keys_file else {}


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


def parse_release(text: str) -> str:
    """Such as v2.30.0; "" stays. Raises `SettingsError`."""
    if text and not RELEASE_FORM.fullmatch(text):
        raise SettingsError(f"CODER_ANNOUNCED_VERSION: {text!r} is not a release of Coder such as v2.30.0")
    return text


def read_license_keys(setting: str, path: Path) -> dict[str, bytes]:
    """The JSON file that `setting` names: key id to the base64 of a raw Ed25519 public key. Raises `SettingsError`."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        cause = getattr(error, "strerror", None) or "it is not JSON"
        raise SettingsError(f"{setting}: {path} cannot be read: {cause}") from None
    if not isinstance(content, Mapping):
        raise SettingsError(f"{setting}: {path} must hold one JSON object: key id to public key")
    keys = {key_id: _key(value) for key_id, value in content.items()}
    wrong = sorted(key_id for key_id, key in keys.items() if key is None)
    if wrong:
        raise SettingsError(
            f"{setting}: {path}: {', '.join(wrong)}: must be the base64 of the 32 bytes of an Ed25519 public key; "
            "`coder-enterprise license keygen` writes such a file"
        )
    return {key_id: key for key_id, key in keys.items() if key is not None}


def _key(value: Any) -> bytes | None:
    """Of 32 bytes."""
    try:
        key = base64.b64decode(value, validate=True)
    except (binascii.Error, TypeError, ValueError):
        return None
    return key if len(key) == 32 else None


def parse_encryption_keys(variable: str, text: str) -> tuple[bytes, ...]:
    """Base64, with commas between them. Raises `SettingsError`, which shows none of them."""
    keys = [_key(part) for part in _listed(text)]
    wrong = [str(number) for number, key in enumerate(keys, start=1) if key is None]
    if wrong:
        raise SettingsError(
            f"{variable}: key {', '.join(wrong)} of {len(keys)} is not the base64 of 32 bytes; "
            "`openssl rand -base64 32` makes one"
        )
    return tuple(key for key in keys if key is not None)


_SUPPORT_LINKS: Final = TypeAdapter(tuple[SupportLink, ...])


def parse_support_links(text: str) -> tuple[SupportLink, ...]:
    """A JSON list of objects with name, target and icon, as Coder reads it; "" is none. Raises `SettingsError`."""
    if not text.strip():
        return ()
    try:
        return _SUPPORT_LINKS.validate_json(text)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise SettingsError(
            f"CODER_SUPPORT_LINKS: {where}{': ' if where else ''}{problem['msg']}; write a JSON list such as "
            """[{"name": "Help desk", "target": "https://help.example.com", "icon": "chat"}]"""
        ) from None


_DURATION: Final = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?(?:ns|us|µs|ms|s|m|h))+")
_UNITS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_interval(variable: str, text: str) -> float:
    """Seconds of a duration as Go writes it, such as 1m30s; more than none. Raises `SettingsError`."""
    seconds = _seconds(text)
    if not 0 < seconds < float("inf"):
        raise SettingsError(f"{variable}: {text!r} is not a duration above zero, such as 60s or 1m30s")
    return seconds


def parse_delay(variable: str, text: str) -> float:
    """Seconds of such a duration, which may be none: 0s. Raises `SettingsError`."""
    seconds = _seconds(text)
    if not 0 <= seconds < float("inf"):
        raise SettingsError(f"{variable}: {text!r} is not a duration such as 5s, or 0s for none")
    return seconds


def _seconds(text: str) -> float:
    """Not a number where it is no duration."""
    if not _DURATION.fullmatch(text):
        return float("nan")
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"([0-9.]+)(ns|us|µs|ms|s|m|h)", text))


def parse_retention(variable: str, text: str) -> timedelta:
    """A duration as Go writes it, or days such as 30d; 0 is for ever. Raises `SettingsError`."""
    if text in ("0", "0s", "0d"):
        return timedelta()
    days = re.fullmatch(r"([0-9]{1,5})d", text)
    try:
        seconds = int(days[1]) * SECONDS_OF_A_DAY if days else parse_interval(variable, text)
    except SettingsError:
        seconds = float("inf")
    if seconds > MAX_RETENTION_DAYS * SECONDS_OF_A_DAY:
        raise SettingsError(
            f"{variable}: {text!r} is not how long to keep something, such as 30d or 12h, and at most "
            f"{MAX_RETENTION_DAYS}d; 0 is for ever"
        )
    return timedelta(seconds=seconds)


def parse_url(variable: str, text: str) -> str:
    """An http(s) URL without query, or ""; a bare IPv6 address gets its brackets. Raises `SettingsError`."""
    text = bracketed(text)
    if text and not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", text):
        raise SettingsError(f"{variable}: {text!r} is not a URL such as http://10.0.0.5:3000")
    return text


def parse_trusted_proxies(headers: str, origins: str) -> tuple[tuple[str, ...], tuple[Network, ...]]:
    """Names and networks, with commas between them; one without the other is of no use. Raises `SettingsError`."""
    names, networks = _listed(headers), [_network(text) for text in _listed(origins)]
    wrong = [name for name in names if not HEADER_FORM.fullmatch(name)]
    if wrong:
        raise SettingsError(f"CODER_PROXY_TRUSTED_HEADERS: {wrong[0]!r} is not a header such as X-Forwarded-For")
    if bool(names) != bool(networks):
        raise SettingsError(
            "CODER_PROXY_TRUSTED_HEADERS, CODER_PROXY_TRUSTED_ORIGINS: set both, such as X-Forwarded-For and "
            "10.0.0.0/8: the header that proxies write the client's address into, and where these proxies are"
        )
    return names, tuple(networks)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _network(text: str) -> Network:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        raise SettingsError(
            f"CODER_PROXY_TRUSTED_ORIGINS: {text!r} is not an address or a network such as 10.0.0.0/8"
        ) from None
