"""From a listener on this machine to a port of a pod, through the API server: what `kubectl port-forward` does.

Used by the command that opens the operator's page. Each connection is a request of its own, a WebSocket that carries
the pod's port in channels (https://kubernetes.io/docs/reference/generated/kubernetes-api/, `v4.channel.k8s.io`): each
message begins with the number of its channel, 0 for data and 1 for errors, and each channel with the number of the
port.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import Final

import aiohttp

from coder_enterprise.client.concurrency import end
from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.errors import KubernetesError
from coder_enterprise.cluster.paths import PODS

PROTOCOL: Final = "v4.channel.k8s.io"
DATA: Final = 0
CHUNK: Final = 32 * 1024
HEARTBEAT: Final = 30.0
"""Seconds between two signs of life, so that what is between here and there keeps a silent connection."""
_PORT_SIZE: Final = 2


class Forward:
    """An asynchronous context manager: until its end, what comes to `listener` goes to the pod's port that `target`
    names: namespace, pod, port. It is asked for each connection, since pods come and go."""

    def __init__(
        self,
        client: KubernetesClient,
        listener: socket.socket,
        target: Callable[[], Awaitable[tuple[str, str, int]]],
        say: Callable[[str], object],
    ) -> None:
        """`say` is told why a connection could not be made."""
        self._client = client
        self._listener = listener
        self._target = target
        self._say = say
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Forward:
        self._session = self._client.session()
        self._server = await asyncio.start_server(self._accept, sock=self._listener)
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._server.close()
        await end(self._connections)
        await self._session.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await self._serve(reader, writer)
        except KubernetesError as error:
            self._say(str(error))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._say(self._client.explain(error))
        except asyncio.CancelledError:
            pass  # asyncio would log it
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until one of the two ends."""
        namespace, pod, port = await self._target()
        url = f"{self._client.host}{PODS.path(namespace, pod, 'portforward')}?ports={port}"
        try:
            remote = await self._session.ws_connect(url, protocols=(PROTOCOL,), heartbeat=HEARTBEAT, max_msg_size=0)
        except aiohttp.WSServerHandshakeError as error:
            raise KubernetesError(error.status, "Refused", f"no port of the pod {pod} is forwarded") from None
        async with remote:
            ways = [asyncio.create_task(_up(reader, remote)), asyncio.create_task(self._down(remote, writer))]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                await end(ways)

    async def _down(self, remote: aiohttp.ClientWebSocketResponse, writer: asyncio.StreamWriter) -> None:
        begun: dict[int, int] = {}
        async for message in remote:
            if message.type is not aiohttp.WSMsgType.BINARY or not message.data:
                continue
            channel, data = message.data[0], message.data[1:]
            rest = _PORT_SIZE - begun.get(channel, 0)
            begun[channel] = begun.get(channel, 0) + min(rest, len(data))
            if not data[rest:]:
                continue
            if channel != DATA:
                self._say(data[rest:].decode(errors="replace").strip())
                return
            writer.write(data[rest:])
            with contextlib.suppress(ConnectionError):
                await writer.drain()


async def _up(reader: asyncio.StreamReader, remote: aiohttp.ClientWebSocketResponse) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(CHUNK):
            await remote.send_bytes(bytes([DATA]) + data)
