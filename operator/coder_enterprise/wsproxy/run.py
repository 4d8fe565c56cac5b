"""The workspace proxy as a process: listens, registers every 30 seconds, and deregisters when it is told to end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from uuid import uuid4

import structlog
from aiohttp import web

from coder_enterprise.process.addresses import url_of
from coder_enterprise.process.signals import when_told_to_end
from coder_enterprise.wire.buildinfo import VERSION, BuildInfo, same_release
from coder_enterprise.wire.proxies import (
    DeregisterWorkspaceProxyRequest,
    ProxyHealthReport,
    RegisterWorkspaceProxyRequest,
)
from coder_enterprise.wsproxy.primary import Primary, PrimaryError, PrimaryUnreachable
from coder_enterprise.wsproxy.settings import Settings

INTERVAL: Final = 30.0
"""Seconds."""
SHUTDOWN_TIMEOUT: Final = 5.0
"""Seconds that answers have to be finished."""
MAX_FAILURES: Final = 10
"""Registrations that may fail in a row: five minutes."""

log = structlog.get_logger(__name__)


async def serve(settings: Settings, listener: socket.socket) -> None:
    """Until SIGTERM or SIGINT. Raises `PrimaryError` when it cannot be, or stay, registered."""
    stop = asyncio.Event()
    when_told_to_end(stop.set)
    url = settings.access_url or url_of(listener)
    async with Primary(settings.primary_access_url, settings.token) as primary, _answering(listener, primary):
        registration = Registration(primary, settings, url)
        registering = asyncio.create_task(registration.run())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait((registering, stopping), return_when=asyncio.FIRST_COMPLETED)
            if registering.done():
                registering.result()
        finally:
            registering.cancel()
            stopping.cancel()
            await asyncio.gather(registering, stopping, return_exceptions=True)


class Registration:
    """One process of the proxy at its server."""

    def __init__(self, primary: Primary, settings: Settings, url: str) -> None:
        self._primary = primary
        self._replica_id = str(uuid4())
        self._request = RegisterWorkspaceProxyRequest(
            access_url=url,
            wildcard_hostname=settings.wildcard_hostname,
            replica_id=self._replica_id,
            hostname=socket.gethostname(),
            version=VERSION,
        )

    async def run(self) -> None:
        """Until it is cancelled. Raises `PrimaryError` when the first try fails, and later as `keep` does."""
        await self.renew()
        log.info("registered", primary=self._primary.url, access_url=self._request.access_url)
        try:
            await self.keep()
        finally:
            await self.end()

    async def renew(self) -> None:
        """Raises `PrimaryError`."""
        await self._primary.register(self._request)

    async def keep(self) -> None:
        """For ever. Raises `PrimaryError` when the server refuses, or cannot be reached again and again."""
        failures = 0
        while True:
            await asyncio.sleep(INTERVAL)
            try:
                await self.renew()
                failures = 0
            except PrimaryUnreachable as error:
                failures += 1
                log.warning("could not register", cause=str(error), failures=failures)
                if failures > MAX_FAILURES:
                    raise

    async def end(self) -> None:
        """What fails here does not matter: the server notices by itself."""
        try:
            await self._primary.deregister(DeregisterWorkspaceProxyRequest(replica_id=self._replica_id))
        except PrimaryError as error:
            log.warning("could not deregister", cause=str(error))


@asynccontextmanager
async def _answering(listener: socket.socket, primary: Primary) -> AsyncIterator[None]:
    runner = web.AppRunner(create_app(primary), access_log=None, shutdown_timeout=SHUTDOWN_TIMEOUT)
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        print(f"listening on {url_of(listener)}", flush=True)
        yield
    finally:
        await runner.cleanup()


def create_app(primary: Primary) -> web.Application:
    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="OK")

    async def healthz_report(_: web.Request) -> web.Response:
        return _json((await report(primary)).model_dump_json())

    async def build_info(_: web.Request) -> web.Response:
        info = BuildInfo(external_url=primary.url, version=VERSION, dashboard_url=primary.url, workspace_proxy=True)
        return _json(info.model_dump_json())

    app = web.Application()
    app.add_routes(
        [
            web.get("/healthz", healthz),
            web.get("/latency-check", healthz),
            web.get("/healthz-report", healthz_report),
            web.get("/api/v2/buildinfo", build_info),
        ]
    )
    return app


async def report(primary: Primary) -> ProxyHealthReport:
    """How the proxy is, by what it sees of its server."""
    try:
        info = await primary.build_info()
    except PrimaryError as error:
        return ProxyHealthReport(errors=[str(error)], warnings=[])
    if info.workspace_proxy:
        cause = f"{primary.url} is a workspace proxy itself; set CODER_PRIMARY_ACCESS_URL to the server's access URL"
        return ProxyHealthReport(errors=[cause], warnings=[])
    if not same_release(info.version, VERSION):
        warning = f"the server has version {info.version} and this proxy {VERSION}; run the same release"
        return ProxyHealthReport(errors=[], warnings=[warning])
    return ProxyHealthReport(errors=[], warnings=[])


def _json(text: str) -> web.Response:
    return web.Response(text=text, content_type="application/json")
