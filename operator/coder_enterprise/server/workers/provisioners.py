"""Gives up jobs whose daemons have gone silent, and forgets daemons that were not seen for long.

Both are told by the time of day. After that was set, or the machine was suspended, everybody seems to have been silent
for hours: then they have one interval to be heard of.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

import structlog

from coder_enterprise.server.services.provisioning.job_course import JobCourse
from coder_enterprise.server.services.provisioning.provisioner_daemons import ProvisionerDaemons

INTERVAL: Final = 60.0
"""Seconds, as that below."""
JUMP: Final = 30.0
"""By so much the time of day is set, when it is not merely put right."""

log = structlog.get_logger(__name__)


class ProvisionerCleaner:
    """Every replica has one: each turn is a transaction, and a second one finds nothing."""

    def __init__(self, jobs: JobCourse, daemons: ProvisionerDaemons) -> None:
        self._jobs = jobs
        self._daemons = daemons

    async def run(self) -> None:
        ahead = _ahead()
        while True:
            before, ahead = ahead, _ahead()
            if abs(ahead - before) < JUMP:
                await self._attempt()
            else:
                log.warning("the clock was set; who was silent before is waited for", seconds=round(ahead - before))
            await asyncio.sleep(INTERVAL)

    async def _attempt(self) -> None:
        try:
            if count := await self._jobs.give_up_hung():
                log.warning("jobs whose provisioner daemons said nothing have failed", count=count)
            await self._daemons.forget_old()
        except Exception:
            log.exception("what provisioner daemons left behind could not be cleaned up")


def _ahead() -> float:
    """Of the time of day, to the clock that only counts."""
    return time.time() - time.monotonic()
