"""Computes the entitlements anew when they may have changed: licences begin and end by themselves."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

import structlog

from coder_enterprise.server.services.entitlements import Entitlements

INTERVAL: Final = timedelta(minutes=10)
RETRY_AFTER: Final = 10.0
"""Seconds after a failure."""

log = structlog.get_logger(__name__)


class EntitlementsWorker:
    def __init__(self, entitlements: Entitlements) -> None:
        self._entitlements = entitlements

    async def run(self) -> None:
        while True:
            await self._entitlements.until_due(INTERVAL)
            try:
                await self._entitlements.refresh()
            except Exception:
                log.exception("the entitlements could not be refreshed", retry_after=RETRY_AFTER)
                await asyncio.sleep(RETRY_AFTER)
