"""The workspace proxy as a process, against a real server: how it starts, how it ends, and what a crash leaves."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from coder_enterprise.wire.buildinfo import VERSION
from tests.support.waiting import wait_until
from tools.processes import free_ports
from tools.server_process import CoderServer
from tools.wsproxy_process import WorkspaceProxyProcess


class ProxyAPI:
    """One workspace proxy of a real server, as an owner sees it."""

    def __init__(self, server: CoderServer) -> None:
        self.http = httpx2.Client(
            base_url=f"{server.url}/api/v2", headers={"Coder-Session-Token": server.token}, timeout=10
        )
        answer = self.http.post("/workspaceproxies", json={"name": "eu"})
        assert answer.status_code == 201, answer.text
        self.token = answer.headers["Coder-Workspace-Proxy-Token"]

    def proxy(self) -> dict[str, Any]:
        body: dict[str, Any] = self.http.get("/workspaceproxies/eu").json()
        return body

    def wait_for(self, status: str) -> dict[str, Any]:
        def probe() -> dict[str, Any] | None:
            proxy = self.proxy()
            return proxy if proxy["status"]["status"] == status else None

        return wait_until(probe, f"the proxy is {status}") or {}

    def siblings(self) -> list[str]:
        """Hosts of the replicas that are alive."""
        body = {"access_url": self.proxy()["path_app_url"], "replica_id": str(uuid4()), "version": VERSION}
        headers = {"Coder-External-Proxy-Token": self.token}
        answer = self.http.post("/workspaceproxies/me/register", json=body, headers=headers)
        return [item["hostname"] for item in answer.json()["sibling_replicas"]]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[ProxyAPI]:
    monkeypatch.setenv("CODER_PROXY_HEALTH_INTERVAL", "200ms")
    made = ProxyAPI(request.getfixturevalue("server"))
    yield made
    made.http.close()


@pytest.fixture
def proxy(api: ProxyAPI, server: CoderServer, tmp_path: Path) -> Iterator[WorkspaceProxyProcess]:
    with WorkspaceProxyProcess(server.url, api.token, tmp_path / "wsproxy.log") as process:
        yield process
        print(process.text())


def start(*options: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """A proxy that must end by itself, in an environment without other settings."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CODER_")}
    return subprocess.run(
        [sys.executable, "-m", "coder_enterprise", "wsproxy", *options],
        env={**inherited, "CODER_HTTP_ADDRESS": "127.0.0.1:0", **settings},
        capture_output=True,
        text=True,
        timeout=30,
    )


def said(ended: subprocess.CompletedProcess[str], code: int) -> str:
    """The last line, which tells why."""
    assert ended.returncode == code, ended.stderr
    assert "Traceback" not in ended.stderr
    line = ended.stderr.splitlines()[-1]
    assert line.startswith("coder-enterprise wsproxy: ")
    return line


def test_a_proxy_registers_and_is_healthy(api: ProxyAPI, proxy: WorkspaceProxyProcess) -> None:
    found = api.wait_for("ok")
    assert found["healthy"]
    assert found["path_app_url"] == proxy.url
    assert found["status"]["report"] == {"errors": [], "warnings": []}


def test_a_proxy_answers_what_is_asked_of_proxies(proxy: WorkspaceProxyProcess, server: CoderServer) -> None:
    assert httpx2.get(f"{proxy.url}/healthz").text == "OK"
    assert httpx2.get(f"{proxy.url}/latency-check").status_code == 200
    info = httpx2.get(f"{proxy.url}/api/v2/buildinfo").json()
    assert (info["workspace_proxy"], info["dashboard_url"]) == (True, server.url)


def test_a_proxy_that_is_told_to_end_leaves_and_is_unreachable(api: ProxyAPI, proxy: WorkspaceProxyProcess) -> None:
    api.wait_for("ok")
    assert len(api.siblings()) == 1
    assert proxy.stop() == 0
    found = api.wait_for("unreachable")
    assert not found["healthy"]
    assert found["path_app_url"] in found["status"]["report"]["errors"][0]
    assert len(api.siblings()) == 1  # the one that asked first; the proxy's own has left


def test_a_proxy_that_crashed_is_unreachable(api: ProxyAPI, proxy: WorkspaceProxyProcess) -> None:
    api.wait_for("ok")
    proxy.kill()
    api.wait_for("unreachable")


def test_a_proxy_that_starts_again_is_healthy_again(api: ProxyAPI, proxy: WorkspaceProxyProcess) -> None:
    proxy.kill()
    api.wait_for("unreachable")
    proxy.start()
    api.wait_for("ok")


def test_a_proxy_that_has_lost_its_server_says_so(proxy: WorkspaceProxyProcess, server: CoderServer) -> None:
    server.stop()
    report = httpx2.get(f"{proxy.url}/healthz-report").json()
    assert server.url in report["errors"][0]
    server.start()
    assert httpx2.get(f"{proxy.url}/healthz-report").json()["errors"] == []


def test_a_token_may_come_from_a_file(api: ProxyAPI, server: CoderServer, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{api.token}\n")
    settings = {"CODER_PROXY_SESSION_TOKEN_FILE": str(file)}
    with WorkspaceProxyProcess(server.url, "", tmp_path / "wsproxy.log", **settings):
        api.wait_for("ok")


def test_a_token_that_is_refused_ends_it_with_1_and_says_what_to_do(api: ProxyAPI, server: CoderServer) -> None:
    wrong = f"{uuid4()}:{'ab' * 32}"
    ended = start(CODER_PRIMARY_ACCESS_URL=server.url, CODER_PROXY_SESSION_TOKEN=wrong)
    assert "regenerate its token" in said(ended, 1)
    assert "ab" * 32 not in ended.stderr + ended.stdout


def test_a_registration_that_is_refused_ends_it_with_1_and_names_the_field(api: ProxyAPI, server: CoderServer) -> None:
    ended = start(
        CODER_PRIMARY_ACCESS_URL=server.url, CODER_PROXY_SESSION_TOKEN=api.token, CODER_WILDCARD_ACCESS_URL="eu"
    )
    assert "wildcard_hostname" in said(ended, 1)


def test_a_server_that_cannot_be_reached_ends_it_with_3() -> None:
    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    ended = start(CODER_PRIMARY_ACCESS_URL=url, CODER_PROXY_SESSION_TOKEN="x")
    assert "CODER_PRIMARY_ACCESS_URL" in said(ended, 3)


def test_the_token_is_no_option() -> None:
    assert "--proxy-session-token " not in start("--help").stdout


def test_a_setting_that_cannot_be_used_is_named() -> None:
    assert "CODER_PRIMARY_ACCESS_URL" in said(start(CODER_PROXY_SESSION_TOKEN="x"), 1)


def test_an_address_that_is_taken_is_named(server: CoderServer) -> None:
    address = server.url.removeprefix("http://")
    ended = start(CODER_PRIMARY_ACCESS_URL=server.url, CODER_PROXY_SESSION_TOKEN="x", CODER_HTTP_ADDRESS=address)
    assert f"CODER_HTTP_ADDRESS: cannot listen on {address}" in said(ended, 1)
