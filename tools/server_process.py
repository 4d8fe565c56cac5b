"""The API server as a process of its own: used by the demo, the tests and the bench.

`start` waits until it answers; `kill` is a crash. A restart comes back on the same port with the same database.
It trusts the licences of `license_for_tests`, whose key ends with this process.
"""

from __future__ import annotations

import base64
import json
import secrets
import signal
import string
import time
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typing_extensions import override

from coder_enterprise.server.services.license_tokens import sign
from tools import folders
from tools.processes import READY_TIMEOUT, Restartable

LISTENING: Final = "listening on "
OWNER: Final = "admin"
OWNER_EMAIL: Final = "admin@example.com"
KEY_ID: Final = "test"
DAY: Final = 24 * 60 * 60

_KEY: Final = Ed25519PrivateKey.generate()


class CoderServer(Restartable):
    """One server on a SQLite file in its own temporary folder, or on PostgreSQL; a context manager.

    `licensed`: with a licence for everything, added when there is none. `profile`: another wire profile than usual.
    """

    program = "server"
    furnish: ClassVar[Callable[[Path], None]] = staticmethod(lambda path: None)
    """Makes the SQLite file before the first start, as the tests do, which have one; else the server makes it."""

    def __init__(
        self,
        database_url: str = "",
        token: str = "",
        *,
        licensed: bool = True,
        profile: str = "documented",
        **settings: str,
    ) -> None:
        """`token` is that of the owner: servers on one database need the same one. `settings` are further variables,
        such as CODER_PROXY_HEALTH_INTERVAL."""
        super().__init__()
        self.token = token or new_token()
        """A session token of the owner."""
        self._database_url = database_url
        self.password = secrets.token_urlsafe(24)
        self.url = ""
        self._licensed = licensed
        self._settings = {"CODER_WIRE_PROFILE": profile, **settings}
        self._address = "127.0.0.1:0"
        self._folder: Path | None = None

    @property
    def folder(self) -> Path:
        if self._folder is None:
            raise RuntimeError("the server was never started")
        return self._folder

    @property
    def database(self) -> Path:
        return self.folder / "coder-enterprise.db"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    @override
    def start(self) -> None:
        """Raises `ProcessFailed` with its log when it does not answer."""
        if self._folder is None:
            self._folder = folders.make("server")
            if not self._database_url:
                type(self).furnish(self.database)
        token_file = self.folder / "token"
        token_file.touch(mode=0o600)
        token_file.write_text(self.token)
        keys_file = self.folder / "license-keys.json"
        keys_file.write_text(json.dumps(public_keys()))
        before = self.log.stat().st_size if self.log.exists() else 0
        environment = {
            "CODER_HTTP_ADDRESS": self._address,
            "CODER_API_RATE_LIMIT": "-1",
            **self._storage(),
            "CODER_FIRST_USER_USERNAME": OWNER,
            "CODER_FIRST_USER_EMAIL": OWNER_EMAIL,
            "CODER_FIRST_USER_PASSWORD": self.password,
            "CODER_BOOTSTRAP_TOKEN_FILE": str(token_file),
            "CODER_LICENSE_KEYS_FILE": str(keys_file),
            **self._settings,
        }
        self._launch(self.log, environment, ready=lambda: bool(self._listening(before)))
        self.url = self._listening(before)
        self._address = self.url.removeprefix("http://")
        if self._licensed:
            try:
                self._ensure_license()
            except OSError:
                self.kill()
                raise

    def pause(self) -> None:
        """It keeps its port and answers nothing, until `resume`."""
        self.process.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.signal(signal.SIGCONT)

    @override
    def close(self) -> None:
        """End it, if it runs, and remove its folder."""
        super().close()
        if self._folder is not None:
            folders.remove(self._folder)
            self._folder = None

    def _storage(self) -> dict[str, str]:
        if self._database_url:
            return {"CODER_PG_CONNECTION_URL": self._database_url}
        return {"CODER_SQLITE_PATH": str(self.database)}

    def _ensure_license(self) -> None:
        with urllib.request.urlopen(f"{self.url}/api/v2/entitlements", timeout=READY_TIMEOUT) as answer:
            if json.load(answer)["has_license"]:
                return
        request = urllib.request.Request(
            f"{self.url}/api/v2/licenses",
            data=json.dumps({"license": license_for_tests()}).encode(),
            headers={"Coder-Session-Token": self.token},
        )
        with urllib.request.urlopen(request, timeout=READY_TIMEOUT):
            pass

    def _listening(self, start: int) -> str:
        if not self.log.exists():
            return ""
        with self.log.open("rb") as file:
            file.seek(start)
            for line in file.read().decode(errors="replace").splitlines():
                if line.startswith(LISTENING):
                    return line.removeprefix(LISTENING).strip()
        return ""


def new_token() -> str:
    """A session token in Coder's form."""
    alphabet = string.ascii_letters + string.digits
    first, second = ("".join(secrets.choice(alphabet) for _ in range(length)) for length in (10, 22))
    return f"{first}-{second}"


def public_keys() -> dict[str, str]:
    """What a server must have as CODER_LICENSE_KEYS_FILE to trust `license_for_tests`."""
    return {KEY_ID: base64.b64encode(_KEY.public_key().public_bytes_raw()).decode()}


def license_for_tests(**claims: Any) -> str:
    """Signed for every server of this process: everything for a year, but for what `claims` says."""
    now = int(time.time())
    standard = {
        "version": 3,
        "jti": str(uuid.uuid4()),  # servers that start at once on one database may each add one
        "license_expires": now + 365 * DAY,
        "exp": now + 395 * DAY,
        "all_features": True,
        "features": {"user_limit": 100_000},
    }
    return sign(standard | claims, _KEY, KEY_ID)
