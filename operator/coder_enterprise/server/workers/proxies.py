"""Asks the workspace proxies how they are: at the start, at every interval, and soon after one has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Set as AbstractSet
from typing import Final
from uuid import UUID

import structlog

from coder_enterprise.server.probes import Probes, Unreachable
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.proxy_health import REPORT_PATH, ProxyHealth, finding, judged, unreachable
from coder_enterprise.server.storage import proxies
from coder_enterprise.server.storage.database import Database
from coder_enterprise.server.storage.proxies import Proxy
from coder_enterprise.wire.proxies import SDKWorkspaceProxyStatus

PARALLEL: Final = 5
TIMEOUT: Final = 5.0
"""Seconds."""

log = structlog.get_logger(__name__)


class ProxyHealthLoop:
    def __init__(self, database: Database, health: ProxyHealth, probes: Probes, interval: float) -> None:
        """`interval` in seconds."""
        self._database = database
        self._health = health
        self._probes = probes
        self._interval = interval
        self._limit = asyncio.Semaphore(PARALLEL)

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            next_round = loop.time() + self._interval
            await self._attempt(None)
            while (rest := next_round - loop.time()) > 0:
                # One that asks again and again has its turns, and the round comes all the same.
                if due := await self._health.due(rest):
                    await self._attempt(due)

    async def check(self, only: AbstractSet[UUID] | None = None) -> None:
        """All of them, or those; a proxy that is gone is forgotten."""
        rows = await self._database.read(proxies.all_of)
        self._health.keep_only(row.id for row in rows)
        await asyncio.gather(*(self._check_one(row) for row in rows if only is None or row.id in only))

    async def _attempt(self, only: AbstractSet[UUID] | None) -> None:
        try:
            await self.check(only)
        except Exception:
            log.exception("the workspace proxies could not be checked")

    async def _check_one(self, proxy: Proxy) -> None:
        async with self._limit:
            self._health.note(proxy.id, await self._ask(proxy))

    async def _ask(self, proxy: Proxy) -> SDKWorkspaceProxyStatus:
        if not proxy.url:
            return finding("unregistered", now())
        url = proxy.url + REPORT_PATH
        try:
            answer = await self._probes.get(url, TIMEOUT)
        except Unreachable as error:
            return unreachable(url, str(error), now())
        return judged(url, answer.status, answer.body, now())
