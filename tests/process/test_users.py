"""Under any user id: containerd gives a process neither an entry in passwd nor a name."""

from __future__ import annotations

import subprocess
import sys

import httpx2
import pytest

from tests.support.kubernetes import Namespace
from tools.server_process import CoderServer

pytestmark = pytest.mark.usefixtures("started_anew", "nameless")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "coder_enterprise", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_a_user_without_a_name_is_one() -> None:
    """What the other tests rely on."""
    command = [sys.executable, "-c", "import getpass; getpass.getuser()"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "uid not found" in ended.stderr or "No username set" in ended.stderr


def test_the_operator_connects(connected: Namespace) -> None:
    assert connected.find("CoderDeployment", "coder")


def test_the_server_serves_and_ends_well(server: CoderServer) -> None:
    assert httpx2.get(f"{server.url}/healthz").status_code == 200
    assert server.stop() == 0


def test_release_releases(namespace: Namespace) -> None:
    ended = run("release", "--kubeconfig", str(namespace.plane.kubeconfig), "--namespace", namespace.name)
    assert (ended.returncode, ended.stdout) == (0, "0 objects released\n"), ended.stderr


def test_the_workspace_proxy_starts_and_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODER_PROXY_SESSION_TOKEN", "token")
    monkeypatch.setenv("CODER_PRIMARY_ACCESS_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("CODER_HTTP_ADDRESS", "127.0.0.1:0")
    ended = run("wsproxy")
    assert ended.returncode == 3, ended.stderr
    assert "http://127.0.0.1:1 cannot be reached" in ended.stderr


def test_without_a_cluster_the_operator_says_so_in_one_line() -> None:
    ended = run("operator", "--health-address", "", "--page-address", "")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.splitlines()[-1].startswith("coder-enterprise operator: no cluster to connect to")
    assert "Traceback" not in ended.stderr


def test_a_database_url_without_a_user_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODER_PG_CONNECTION_URL", "postgres://127.0.0.1:1/coder")
    monkeypatch.delenv("PGUSER", raising=False)
    ended = run("server", "--http-address", "127.0.0.1:0")
    (line,) = ended.stderr.splitlines()
    assert ended.returncode == 1
    assert line.startswith("coder-enterprise server: CODER_PG_CONNECTION_URL: ")
