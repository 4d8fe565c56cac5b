"""Two servers as processes on one PostgreSQL: what they know of each other and of a workspace proxy."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx2
import pytest

from coder_enterprise.wire.buildinfo import VERSION
from tests.support.endpoint import Endpoint
from tests.support.waiting import wait_for, wait_until
from tools.processes import free_ports
from tools.server_process import CoderServer


@pytest.fixture(autouse=True)  # before the servers start
def relay_url(monkeypatch: pytest.MonkeyPatch) -> str:
    """Where both servers say they can be reached, and nobody listens; proxies wait an hour for their turn."""
    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    monkeypatch.setenv("CODER_DERP_SERVER_RELAY_URL", url)
    monkeypatch.setenv("CODER_PROXY_HEALTH_INTERVAL", "1h")
    return url


def get(server: CoderServer, path: str) -> Any:
    return httpx2.get(f"{server.url}/api/v2{path}", headers={"Coder-Session-Token": server.token}).json()


def replica_ids(server: CoderServer) -> list[str]:
    return [item["id"] for item in get(server, "/replicas")]


def test_each_lists_the_other_and_itself_last(servers: list[CoderServer]) -> None:
    wait_until(lambda: all(len(replica_ids(server)) == 2 for server in servers), "each lists two")
    first, second = (replica_ids(server) for server in servers)
    assert first == second[::-1]
    assert get(servers[0], "/replicas")[-1]["database_latency"] > 0


def test_each_names_the_other_whom_it_does_not_reach(servers: list[CoderServer], relay_url: str) -> None:
    wait_until(lambda: relay_url in get(servers[1], "/replicas")[-1]["error"], "the second misses the first")
    wait_until(lambda: relay_url in get(servers[1], "/replicas")[0]["error"], "and sees that it is missed, too")


def test_one_that_is_stopped_is_gone_at_once(servers: list[CoderServer]) -> None:
    wait_until(lambda: len(replica_ids(servers[0])) == 2, "the first lists two")
    assert servers[1].stop() == 0
    assert len(replica_ids(servers[0])) == 1


async def test_both_look_at_a_proxy_that_registers_at_one(servers: list[CoderServer]) -> None:
    async with (
        Endpoint() as endpoint,
        httpx2.AsyncClient(
            base_url=f"{servers[0].url}/api/v2", headers={"Coder-Session-Token": servers[0].token}
        ) as client,
    ):
        endpoint.says({"errors": [], "warnings": []})
        created = await client.post("/workspaceproxies", json={"name": "eu"})
        headers = {"Coder-External-Proxy-Token": created.headers["Coder-Workspace-Proxy-Token"]}
        body = {"access_url": endpoint.url, "replica_id": str(uuid4()), "version": VERSION}
        assert (await client.post("/workspaceproxies/me/register", json=body, headers=headers)).status_code == 201
        await wait_for(lambda: len(endpoint.asked) == 2, "both have asked")
