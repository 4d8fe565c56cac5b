"""The workspace proxy as a process of its own: used by the demo and the tests."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tools.processes import Process, ProcessFailed

READY_TIMEOUT: Final = 30.0
LISTENING: Final = "listening on "


class WorkspaceProxyProcess:
    """One proxy of the server at `primary`, registered when it has started; a context manager."""

    def __init__(self, primary: str, token: str, log: Path, **settings: str) -> None:
        """`settings` are further variables, such as CODER_HTTP_ADDRESS."""
        self.log = log
        self._environment: Mapping[str, str] = {
            "CODER_PRIMARY_ACCESS_URL": primary,
            "CODER_PROXY_SESSION_TOKEN": token,
            "CODER_HTTP_ADDRESS": "127.0.0.1:0",
            **settings,
        }
        self._process: Process | None = None

    def __enter__(self) -> WorkspaceProxyProcess:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.kill()

    @property
    def process(self) -> Process:
        if self._process is None:
            raise RuntimeError("the workspace proxy is not running")
        return self._process

    @property
    def url(self) -> str:
        """Where it listens."""
        lines = [line for line in self.text().splitlines() if line.startswith(LISTENING)]
        return lines[-1].removeprefix(LISTENING)

    def start(self) -> None:
        """Raises `ProcessFailed` with its log when it cannot register."""
        before = len(self.text())
        command = [sys.executable, "-m", "coder_enterprise", "wsproxy"]
        process = Process("coder-enterprise wsproxy", command, self.log, self._environment)
        try:
            process.wait_until(lambda: '"event": "registered"' in self.text()[before:], READY_TIMEOUT)
        except ProcessFailed:
            process.kill()
            raise
        self._process = process

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        code = self.process.stop()
        self._process = None
        return code

    def kill(self) -> None:
        """SIGKILL, if it runs: what a crash is."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def text(self) -> str:
        """What it said and logged."""
        return self.log.read_text() if self.log.exists() else ""
