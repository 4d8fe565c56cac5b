"""`/healthz`, `/readyz` and `/metrics` of the operator.

Started by the manager before anything else. Liveness says that the event loop turns (a stuck one answers nothing)
and that no worker is stuck and no watch has given up, never that some server is reachable: restarting the operator
repairs nothing there. Readiness says that it sees every kind; one that is not ready works for what it sees.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest


class HealthServer:
    """Serves what comes to `listener`, which it closes at its end; None serves nothing."""

    def __init__(
        self,
        listener: socket.socket | None,
        is_alive: Callable[[], bool],
        why_not_ready: Callable[[], str],
        measure: Callable[[], None] = lambda: None,
    ) -> None:
        """`why_not_ready` says "" when it is; `measure` is called before the metrics are read."""
        self._listener = listener
        self._is_alive = is_alive
        self._why_not_ready = why_not_ready
        self._measure = measure
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> HealthServer:
        if self._listener is None:
            return self
        app = web.Application()
        app.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._metrics),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.SockSite(self._runner, self._listener).start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        if self._runner:
            await self._runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n") if self._is_alive() else web.Response(text="no\n", status=503)

    async def _readyz(self, _: web.Request) -> web.Response:
        why_not = self._why_not_ready()
        return web.Response(text=f"{why_not}\n", status=503) if why_not else web.Response(text="ok\n")

    async def _metrics(self, _: web.Request) -> web.Response:
        self._measure()
        body = await asyncio.to_thread(generate_latest)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})
