"""`/healthz`, `/readyz` and `/metrics`, on a real socket."""

from __future__ import annotations

import socket

import aiohttp
import pytest

from coder_enterprise.controller import metrics
from coder_enterprise.controller.health import HealthServer
from coder_enterprise.process.addresses import Address, listen, url_of


class Said:
    alive = True
    why_not = "codergroups: refused"


@pytest.fixture
def listener() -> socket.socket:
    return listen("test", Address("127.0.0.1", 0))


async def get(listener: socket.socket, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url_of(listener) + path) as answer:
        return answer.status, await answer.text()


async def test_liveness_and_readiness_are_answered_each_by_its_own_question(listener: socket.socket) -> None:
    said = Said()
    async with HealthServer(listener, lambda: said.alive, lambda: said.why_not):
        assert await get(listener, "/healthz") == (200, "ok\n")
        assert await get(listener, "/readyz") == (503, "codergroups: refused\n")
        said.alive, said.why_not = False, ""
        assert (await get(listener, "/healthz"))[0] == 503
        assert await get(listener, "/readyz") == (200, "ok\n")


async def test_metrics_are_in_the_prometheus_format(listener: socket.socket) -> None:
    metrics.shards_held.set(1)
    async with HealthServer(listener, lambda: True, lambda: ""):
        status, text = await get(listener, "/metrics")
    assert status == 200
    assert "coder_enterprise_shards_held 1.0" in text


async def test_without_a_listener_nothing_is_served() -> None:
    async with HealthServer(None, lambda: True, lambda: ""):
        pass


async def test_it_listens_no_more_afterwards(listener: socket.socket) -> None:
    async with HealthServer(listener, lambda: True, lambda: ""):
        address = listener.getsockname()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
