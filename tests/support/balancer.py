"""Passes connections on to servers that say at /readyz that they are ready: what a Service of Kubernetes does."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Iterable
from typing import Final

import httpx2

INTERVAL: Final = 0.02
"""Seconds between two looks at who is ready: here the same as until a pod is out of its Service."""


class Balancer:
    """An asynchronous context manager. Which server a connection leads to is decided when it is made."""

    def __init__(self) -> None:
        self.ports: set[int] = set()
        """Of the servers that there are."""
        self.port = 0
        self._ready: list[int] = []
        self._turn = itertools.count()
        self._piping: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Balancer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self._looking = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._server.close()
        await _end([self._looking, *self._piping])

    def sends_to(self, port: int) -> bool:
        return port in self._ready

    def leaves_out(self, port: int) -> bool:
        return port not in self._ready

    async def _look(self) -> None:
        async with httpx2.AsyncClient() as http:
            while True:
                self._ready = [port for port in sorted(self.ports) if await _is_ready(http, port)]
                await asyncio.sleep(INTERVAL)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._piping.add(task)
        port = self._ready[next(self._turn) % len(self._ready)]
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(_copy(reader, there_writer), _copy(there_reader, writer))
        except (asyncio.CancelledError, OSError):
            writer.transport.abort()
        finally:
            self._piping.discard(task)


async def _is_ready(http: httpx2.AsyncClient, port: int) -> bool:
    try:
        answer = await http.get(f"http://127.0.0.1:{port}/readyz", headers={"Connection": "close"})
    except httpx2.HTTPError:
        return False
    return answer.status_code == 200


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _end(tasks: Iterable[asyncio.Task[None]]) -> None:
    ended = list(tasks)
    for task in ended:
        task.cancel()
    await asyncio.gather(*ended, return_exceptions=True)
