"""The operator as a process of its own: used by the demo, the tests and the bench."""

from __future__ import annotations

import sys
import urllib.request
from pathlib import Path
from typing import Final

from tools.processes import Process, ProcessFailed, free_ports

READY_TIMEOUT: Final = 30.0


class OperatorProcess:
    """One operator for the cluster that `kubeconfig` names; a context manager. Its log is appended to `log`."""

    def __init__(self, kubeconfig: Path, log: Path, *options: str) -> None:
        self._kubeconfig = kubeconfig
        self._options = options
        self.log = log
        self._process: Process | None = None
        self._health = ""

    def __enter__(self) -> OperatorProcess:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def process(self) -> Process:
        if self._process is None:
            raise RuntimeError("the operator is not running")
        return self._process

    def start(self, *, wait: bool = True) -> None:
        """It knows all objects when it returns, unless `wait` is false. Raises `ProcessFailed` with its log."""
        self._health = f"127.0.0.1:{free_ports(1)[0]}"
        before = self.log.stat().st_size if self.log.exists() else 0
        command = [sys.executable, "-m", "coder_enterprise", "operator", "--kubeconfig", str(self._kubeconfig)]
        command += ["--health-address", self._health, *self._options]
        process = Process("coder-enterprise operator", command, self.log, {})
        try:
            if wait:
                process.wait_until(lambda: '"event": "listed"' in self.text(before), READY_TIMEOUT)
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
        """SIGKILL: what a crash is."""
        self.process.kill()
        self._process = None

    def close(self) -> None:
        """End it, if it runs."""
        if self._process is not None:
            self.kill()

    def text(self, start: int = 0) -> str:
        """What it logged, from that byte on."""
        with self.log.open("rb") as file:
            file.seek(start)
            return file.read().decode(errors="replace")

    def metrics(self) -> str:
        """Its Prometheus metrics."""
        with urllib.request.urlopen(f"http://{self._health}/metrics", timeout=5) as answer:
            return str(answer.read().decode())
