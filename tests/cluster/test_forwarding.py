"""A port of this machine that leads to one of a pod."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2
import pytest
from kubernetes.aio.client import Configuration

from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.forwarding import Forward
from coder_enterprise.process.addresses import Address, listen, url_of
from tests.support.pods import Pods, operator_pod
from tests.support.waiting import wait_for

BODY = bytes(range(256)) * 2_000


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An HTTP server that sends back what it is sent."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    body = await reader.readexactly(length)
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % length + body)
    await writer.drain()
    writer.close()
    await writer.wait_closed()


@dataclass
class Forwarded:
    pods: Pods
    url: str
    said: list[str] = field(default_factory=list)


@asynccontextmanager
async def forwarding(pod: str = "operator-1") -> AsyncIterator[Forwarded]:
    """To a pod that answers, until the end of the test."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    settings = Configuration()
    async with Pods(server.sockets[0].getsockname()[1], operator_pod("operator-1")) as pods:
        settings.host = pods.url
        listener = listen("test", Address("127.0.0.1", 0))
        found = Forwarded(pods, url_of(listener))

        async def target() -> tuple[str, str, int]:
            return "coder", pod, 8082

        async with (
            KubernetesClient(settings) as client,
            Forward(client, listener, target, found.said.append),
        ):
            yield found
    server.close()
    await server.wait_closed()


async def test_what_is_sent_comes_back_byte_by_byte_on_many_connections() -> None:
    async with forwarding() as to, httpx2.AsyncClient(base_url=to.url, trust_env=False) as http:
        answers = await asyncio.gather(*(http.post("/", content=BODY) for _ in range(5)))
    assert [each.content == BODY for each in answers] == [True] * 5
    assert to.pods.forwarded == [("operator-1", "8082")] * 5
    assert to.said == []


async def test_a_pod_that_is_not_there_is_said_and_the_next_connection_tried_anew() -> None:
    async with forwarding("operator-2") as to, httpx2.AsyncClient(base_url=to.url, trust_env=False) as http:
        with pytest.raises(httpx2.TransportError):
            await http.post("/", content=b"x")
        assert "404" in to.said[0]
        to.pods.pods.append(operator_pod("operator-2"))
        assert (await http.post("/", content=b"x")).content == b"x"


async def test_a_port_where_nothing_listens_is_said_in_the_words_of_the_kubelet() -> None:
    async with forwarding() as to, httpx2.AsyncClient(base_url=to.url, trust_env=False) as http:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            to.pods.target = closed.getsockname()[1]
        with pytest.raises(httpx2.TransportError):
            await http.post("/", content=b"x")
        await wait_for(lambda: to.said, "it is said")
    assert to.said == ["nothing listens there"]
