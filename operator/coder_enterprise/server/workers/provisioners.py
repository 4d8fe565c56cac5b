"""Gives up jobs whose daemons have gone silent, and forgets daemons that were not seen for long."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from coder_enterprise.server.services.provisioner_daemons import ProvisionerDaemons
from coder_enterprise.server.services.provisioner_jobs import ProvisionerJobs

INTERVAL: Final = 60.0
"""Seconds."""

log = structlog.get_logger(__name__)


class ProvisionerCleaner:
    """Every replica has one: each turn is a transaction, and a second one finds nothing."""

    def __init__(self, jobs: ProvisionerJobs, daemons: ProvisionerDaemons) -> None:
        self._jobs = jobs
        self._daemons = daemons

    async def run(self) -> None:
        while True:
            await self._attempt()
            await asyncio.sleep(INTERVAL)

    async def _attempt(self) -> None:
        try:
            if count := await self._jobs.give_up_hung():
                log.warning("jobs whose provisioner daemons said nothing have failed", count=count)
            await self._daemons.forget_old()
        except Exception:
            log.exception("what provisioner daemons left behind could not be cleaned up")
