"""`/healthz`, `/readyz` and `/metrics`, on a real socket."""

from __future__ import annotations

import aiohttp

from coder_enterprise.controller import metrics
from coder_enterprise.controller.health import HealthServer


class Said:
    alive = True
    why_not = "codergroups: refused"


async def get(server: HealthServer, path: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{server.port}{path}") as answer,
    ):
        return answer.status, await answer.text()


async def test_liveness_and_readiness_are_answered_each_by_its_own_question() -> None:
    said = Said()
    async with HealthServer("127.0.0.1", 0, lambda: said.alive, lambda: said.why_not) as server:
        assert await get(server, "/healthz") == (200, "ok\n")
        assert await get(server, "/readyz") == (503, "codergroups: refused\n")
        said.alive, said.why_not = False, ""
        assert (await get(server, "/healthz"))[0] == 503
        assert await get(server, "/readyz") == (200, "ok\n")


async def test_metrics_are_in_the_prometheus_format() -> None:
    metrics.shards_held.set(1)
    async with HealthServer("127.0.0.1", 0, lambda: True, lambda: "") as server:
        status, text = await get(server, "/metrics")
    assert status == 200
    assert "coder_enterprise_shards_held 1.0" in text


async def test_without_a_port_nothing_is_served() -> None:
    async with HealthServer("127.0.0.1", -1, lambda: True, lambda: "") as server:
        assert server.port == -1


async def test_a_port_is_free_again_afterwards() -> None:
    async with HealthServer("127.0.0.1", 0, lambda: True, lambda: "") as server:
        port = server.port
    async with HealthServer("127.0.0.1", port, lambda: True, lambda: "") as again:
        assert again.port == port
