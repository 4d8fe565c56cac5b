"""Removes what has been kept for long enough: once an hour."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from coder_enterprise.server.services.retention import Retention

INTERVAL: Final = 3600.0
"""Seconds."""

log = structlog.get_logger(__name__)


class RetentionWorker:
    """Every replica has one: what one has removed, another does not find."""

    def __init__(self, retention: Retention) -> None:
        self._retention = retention

    async def run(self) -> None:
        while True:
            try:
                if removed := await self._retention.remove_old():
                    log.info("what was kept for long enough is removed", **removed)
            except Exception:
                log.exception("what was kept for long enough could not be removed")
            await asyncio.sleep(INTERVAL)
