"""The API server as a process of its own: used by the demo, the tests and the bench.

`start` waits until it answers; `kill` is a crash. A restart comes back on the same port with the same database.
"""

from __future__ import annotations

import secrets
import shutil
import signal
import string
import sys
import tempfile
from pathlib import Path
from typing import Final

from tools.processes import Process, ProcessFailed

READY_TIMEOUT: Final = 30.0
LISTENING: Final = "listening on "
OWNER: Final = "admin"
OWNER_EMAIL: Final = "admin@example.com"


class CoderServer:
    """One server on a SQLite file in its own temporary folder, or on PostgreSQL; a context manager."""

    def __init__(self, database_url: str = "", token: str = "") -> None:
        """`token` is that of the owner: servers on one database need the same one."""
        self.token = token or new_token()
        """A session token of the owner."""
        self._database_url = database_url
        self.password = secrets.token_urlsafe(24)
        self.url = ""
        self._address = "127.0.0.1:0"
        self._folder: Path | None = None
        self._process: Process | None = None

    def __enter__(self) -> CoderServer:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

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

    @property
    def process(self) -> Process:
        if self._process is None:
            raise RuntimeError("the server is not running")
        return self._process

    def start(self) -> None:
        """Raises `ProcessFailed` with its log when it does not answer."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="coder-enterprise-server-"))
        token_file = self.folder / "token"
        token_file.touch(mode=0o600)
        token_file.write_text(self.token)
        before = self.log.stat().st_size if self.log.exists() else 0
        environment = {
            "CODER_HTTP_ADDRESS": self._address,
            **self._storage(),
            "CODER_FIRST_USER_USERNAME": OWNER,
            "CODER_FIRST_USER_EMAIL": OWNER_EMAIL,
            "CODER_FIRST_USER_PASSWORD": self.password,
            "CODER_BOOTSTRAP_TOKEN_FILE": str(token_file),
        }
        command = [sys.executable, "-m", "coder_enterprise", "server"]
        process = Process("coder-enterprise server", command, self.log, environment)
        try:
            process.wait_until(lambda: bool(self._listening(before)), READY_TIMEOUT)
        except ProcessFailed:
            process.kill()
            raise
        self._process = process
        self.url = self._listening(before)
        self._address = self.url.removeprefix("http://")

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        code = self.process.stop()
        self._process = None
        return code

    def kill(self) -> None:
        """SIGKILL: what a crash is."""
        self.process.kill()
        self._process = None

    def pause(self) -> None:
        """It keeps its port and answers nothing, until `resume`."""
        self.process.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.signal(signal.SIGCONT)

    def close(self) -> None:
        """End it, if it runs, and remove its folder."""
        if self._process is not None:
            self.kill()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _storage(self) -> dict[str, str]:
        if self._database_url:
            return {"CODER_PG_CONNECTION_URL": self._database_url}
        return {"CODER_SQLITE_PATH": str(self.database)}

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
