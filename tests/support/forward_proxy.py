"""A small HTTP proxy on 127.0.0.1: CONNECT for https, absolute addresses for http.

Whatever host is asked for, it connects to the one that it was made for: addresses on the loopback itself never go
through a proxy, so tests ask for names that only this proxy knows.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib

from tests.support.relay import relay


class ForwardProxy:
    """An asynchronous context manager. `asked` has the method and the target of each request."""

    def __init__(self, target_port: int, credentials: str = "", refusal: str = "") -> None:
        """`credentials` are user:password; with `refusal`, such as "403 Forbidden", it says that to everything."""
        self.url = ""
        self.asked: list[str] = []
        self._target_port = target_port
        self._wanted = f"Basic {base64.b64encode(credentials.encode()).decode()}" if credentials else ""
        self._refusal = refusal
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> ForwardProxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._answer(reader, writer)
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        request, *headers = head.split("\r\n")
        method, target, _ = request.split(" ")
        self.asked.append(f"{method} {target}")
        said = dict(line.split(": ", 1) for line in headers if line).get("Proxy-Authorization", "")
        refusal = "407 Proxy Authentication Required" if self._wanted not in {"", said} else self._refusal
        if refusal:
            writer.write(f"HTTP/1.1 {refusal}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
            return
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            there_writer.write("\r\n".join([f"{method} /{target.split('/', 3)[3]} HTTP/1.1", *headers]).encode())
        await relay((reader, writer), (there_reader, there_writer))
