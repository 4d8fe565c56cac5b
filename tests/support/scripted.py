"""A Coder server that answers as a test tells it: for answers and faults that the real one does not have."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pytest
from aiohttp import web

from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.http import API, ConnectionSettings

TOKEN: Final = "abcdefghij-abcdefghijklmnopqrstuv"
NOT_FOUND: Final = {"message": "Resource not found or you do not have access to this resource"}
NO_ROUTE: Final = {"message": "Route not found."}
HTML: Final = "<!DOCTYPE html><html><body>Please log in</body></html>"


@dataclass(frozen=True)
class Asked:
    """One request as it arrived; `path` is as it was sent, still quoted."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: str


Reply = Callable[[Asked], web.Response]


class Scripted:
    """Paths are below the API root, unless another one is named.

    What is not scripted is answered as Coder answers a path that it lacks.
    """

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.url = ""
        self._replies: dict[tuple[str, str], Reply] = {}

    @property
    def settings(self) -> ConnectionSettings:
        return ConnectionSettings(self.url, TOKEN)

    def answer(
        self,
        path: str,
        body: Any = None,
        *,
        method: str = "GET",
        status: int = 200,
        text: str | None = None,
        headers: Mapping[str, str] | None = None,
        root: str = API,
    ) -> None:
        """`body` as JSON, or `text` as it is."""
        content_type = "application/json" if text is None else "text/html"
        content = json.dumps(body) if text is None else text
        self.reply(
            path,
            lambda _: web.Response(status=status, text=content, content_type=content_type, headers=headers),
            method=method,
            root=root,
        )

    def reply(self, path: str, reply: Reply, *, method: str = "GET", root: str = API) -> None:
        self._replies[method, root + path] = reply

    def paths(self, method: str = "GET") -> list[str]:
        """What was asked so far, below the API root."""
        return [asked.path.removeprefix(API) for asked in self.asked if asked.method == method]

    async def handle(self, request: web.Request) -> web.Response:
        path = request.raw_path.partition("?")[0]
        asked = Asked(request.method, path, request.query, request.headers, await request.text())
        self.asked.append(asked)
        known = self._replies.get((request.method, path))
        return known(asked) if known else web.json_response(NO_ROUTE, status=404)


@contextlib.asynccontextmanager
async def scripted() -> AsyncIterator[Scripted]:
    server = Scripted()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        await runner.cleanup()


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def raw_server(talk: Talk, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """The URL of a server that says what `talk` says, once per connection, and closes."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await talk(reader, writer)
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        scheme = "https" if context else "http"
        yield f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def forget_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own proxies are not the tests'."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


# Fixtures, for the rooms that import them.


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_proxies(monkeypatch)


@pytest.fixture
async def server() -> AsyncIterator[Scripted]:
    async with scripted() as running:
        yield running


@pytest.fixture
async def client(server: Scripted) -> AsyncIterator[CoderClient]:
    async with CoderClient(server.settings) as connected:
        yield connected
