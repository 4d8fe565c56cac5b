"""`/healthz`, `/readyz` and `/metrics` of the operator.

Started by the manager before anything else. Liveness says that the event loop turns (a stuck one answers nothing)
and that no worker is stuck, never that some server is reachable: restarting the operator repairs nothing there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest


class HealthServer:
    """Serves on `host`:`port`; port 0 picks a free one, and -1 serves nothing."""

    def __init__(
        self,
        host: str,
        port: int,
        is_alive: Callable[[], bool],
        is_ready: Callable[[], bool],
        measure: Callable[[], None] = lambda: None,
    ) -> None:
        """`measure` is called before the metrics are read."""
        self._host = host
        self._port = port
        self._is_alive = is_alive
        self._is_ready = is_ready
        self._measure = measure
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> HealthServer:
        if self._port < 0:
            return self
        app = web.Application()
        app.add_routes(
            [
                web.get("/healthz", self._answer(self._is_alive)),
                web.get("/readyz", self._answer(self._is_ready)),
                web.get("/metrics", self._metrics),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()
        return self

    @property
    def port(self) -> int:
        """Where it listens; the one that was picked when 0 was asked for."""
        addresses = self._runner.addresses if self._runner else ()
        return int(addresses[0][1]) if addresses else self._port

    async def __aexit__(self, *exception: object) -> None:
        if self._runner:
            await self._runner.cleanup()

    def _answer(self, healthy: Callable[[], bool]) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(_: web.Request) -> web.Response:
            return web.Response(text="ok\n") if healthy() else web.Response(text="no\n", status=503)

        return handle

    async def _metrics(self, _: web.Request) -> web.Response:
        self._measure()
        body = await asyncio.to_thread(generate_latest)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})
