"""The operator as a process of its own: used by the demo, the tests and the bench."""

from __future__ import annotations

import urllib.request
from pathlib import Path

from typing_extensions import override

from tools.processes import Restartable, free_ports


class OperatorProcess(Restartable):
    """One operator for the cluster that `kubeconfig` names; a context manager. Its log is appended to `log`."""

    program = "operator"

    def __init__(self, kubeconfig: Path, log: Path, *options: str) -> None:
        super().__init__()
        self._kubeconfig = kubeconfig
        self._options = options
        self.log = log
        self._health = ""
        self.page = ""
        """Its page, as a URL."""

    @override
    def start(self, *, wait: bool = True) -> None:
        """It knows all objects when it returns, unless `wait` is false. Raises `ProcessFailed` with its log."""
        health, page = free_ports(2)
        self._health, self.page = f"127.0.0.1:{health}", f"http://127.0.0.1:{page}"
        before = self.log.stat().st_size if self.log.exists() else 0
        addresses = ("--health-address", self._health, "--page-address", f"127.0.0.1:{page}")
        options = ("--kubeconfig", str(self._kubeconfig), *addresses, *self._options)
        listed = (lambda: '"event": "listed"' in self.text(before)) if wait else None
        self._launch(self.log, {}, *options, ready=listed)

    def text(self, start: int = 0) -> str:
        """What it logged, from that byte on."""
        with self.log.open("rb") as file:
            file.seek(start)
            return file.read().decode(errors="replace")

    def metrics(self) -> str:
        """Its Prometheus metrics."""
        with urllib.request.urlopen(f"http://{self._health}/metrics", timeout=5) as answer:
            return str(answer.read().decode())
