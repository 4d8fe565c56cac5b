"""A real HTTP server on 127.0.0.1 that answers as a test tells it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import web

from tests.support.front import Certificate


class Endpoint:
    """An asynchronous context manager. `asked` has the paths of all requests."""

    def __init__(
        self, status: int = 200, body: str | bytes = "", certificate: Certificate | None = None, **headers: str
    ) -> None:
        self.status = status
        self.body = body
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self._context = certificate.server_context() if certificate else None
        self.asked: list[str] = []
        self.together = 0
        """Most requests that were there at the same time."""
        self.url = ""
        self._now = 0
        self._open = asyncio.Event()
        self._open.set()

    async def __aenter__(self) -> Endpoint:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._context).start()
        self.url = f"{'https' if self._context else 'http'}://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._runner.cleanup()

    def says(self, value: Any) -> None:
        """From now on, 200 and JSON."""
        self.status, self.body = 200, json.dumps(value)

    def hold(self) -> None:
        """Answer nothing until `release`."""
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        self._now += 1
        self.together = max(self.together, self._now)
        try:
            await self._open.wait()
        finally:
            self._now -= 1
        body = self.body if isinstance(self.body, bytes) else self.body.encode()
        return web.Response(status=self.status, body=body, headers=self.headers)
