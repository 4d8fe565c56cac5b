"""A forward proxy on 127.0.0.1 that tells who asked Coder for what: each operator of a test gets one of its own.

Whatever host is asked for, it connects to the server that it was made for, as `ForwardProxy` does; but it reads each
request of a connection, and runs in a thread, for tests of processes.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

import aiohttp
from aiohttp import web

T = TypeVar("T")

PASSED_BACK: Final = {"Content-Type", "Content-Encoding", "Retry-After"}
"""Of an answer's headers."""


class Witness:
    """A context manager. `url` is what a process gets as HTTP_PROXY."""

    def __init__(self, target: str) -> None:
        self.url = ""
        self.written: list[str] = []
        """Method and path of each request that was no GET, as it came."""
        self.on_write: Callable[[int], None] = lambda _: None
        """Called before a write is passed on, with how many there were."""
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="witness")

    def __enter__(self) -> Witness:
        self._thread.start()
        self._run(self._open())
        return self

    def __exit__(self, *exception: object) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _open(self) -> None:
        self._http = aiohttp.ClientSession(auto_decompress=False)
        self._runner = web.ServerRunner(web.Server(self._pass_on, access_log=None), shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _close(self) -> None:
        await self._runner.cleanup()
        await self._http.close()

    async def _pass_on(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method != "GET":
            self.written.append(f"{request.method} {request.path}")
            self.on_write(len(self.written))
        headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
        body = await request.read()
        async with self._http.request(
            request.method, f"{self._target}{request.path_qs}", headers=headers, data=body or None
        ) as answer:
            kept = {
                name: answer.headers[name] for name in ("Content-Type", "Content-Encoding") if name in answer.headers
            }
            return web.Response(status=answer.status, headers=kept, body=await answer.read())
