"""`coder-enterprise probe`: what answers well, and what does not."""

from __future__ import annotations

import subprocess
import sys

from tools.processes import free_ports
from tools.server_process import CoderServer


def probe(*urls: str) -> tuple[int, list[str]]:
    """The exit code, and a line for each URL."""
    command = [sys.executable, "-m", "coder_enterprise", "probe", *urls]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.returncode, result.stdout.splitlines()


def test_all_must_answer_well(server: CoderServer) -> None:
    good, refused = f"{server.url}/healthz", f"{server.url}/api/v2/users/me"
    assert probe(good) == (0, [f"{good}: ok"])
    assert probe(refused, good) == (1, [f"{refused}: status 401", f"{good}: ok"])


def test_what_does_not_answer_is_said() -> None:
    url = f"http://127.0.0.1:{free_ports(1)[0]}/"
    code, lines = probe(url, "file:///etc/passwd")
    assert code == 1
    assert "refused" in lines[0]
    assert lines[1] == "file:///etc/passwd: not an http or https URL"
