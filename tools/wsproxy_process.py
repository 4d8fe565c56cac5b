"""The workspace proxy as a process of its own: used by the demo and the tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from typing_extensions import override

from tools.processes import Restartable

LISTENING: Final = "listening on "


class WorkspaceProxyProcess(Restartable):
    """One proxy of the server at `primary`, registered when it has started; a context manager."""

    program = "wsproxy"

    def __init__(self, primary: str, token: str, log: Path, **settings: str) -> None:
        """`settings` are further variables, such as CODER_HTTP_ADDRESS."""
        super().__init__()
        self.log = log
        self._environment: Mapping[str, str] = {
            "CODER_PRIMARY_ACCESS_URL": primary,
            "CODER_PROXY_SESSION_TOKEN": token,
            "CODER_HTTP_ADDRESS": "127.0.0.1:0",
            **settings,
        }

    @property
    def url(self) -> str:
        """Where it listens."""
        lines = [line for line in self.text().splitlines() if line.startswith(LISTENING)]
        return lines[-1].removeprefix(LISTENING)

    @override
    def start(self) -> None:
        """Raises `ProcessFailed` with its log when it cannot register."""
        before = len(self.text())
        self._launch(self.log, self._environment, ready=lambda: '"event": "registered"' in self.text()[before:])

    def text(self) -> str:
        """What it said and logged."""
        return self.log.read_text() if self.log.exists() else ""
