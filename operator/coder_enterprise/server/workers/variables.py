"""Encrypts with the first key, once after the start, what template variables were stored without it."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from coder_enterprise.server.services.variables import Variables, renew
from coder_enterprise.server.storage.database import Database

RETRY_AFTER: Final = 60.0
"""Seconds."""

log = structlog.get_logger(__name__)


class VariablesWorker:
    """Every replica has one: what one has encrypted, another finds encrypted."""

    def __init__(self, database: Database, variables: Variables) -> None:
        self._database = database
        self._variables = variables

    async def run(self) -> None:
        while self._variables.encrypts and not await self._attempt():
            await asyncio.sleep(RETRY_AFTER)

    async def _attempt(self) -> bool:
        """Whether it is done."""
        try:
            renewal = await renew(self._database, self._variables)
        except Exception:
            log.exception("values of template variables could not be encrypted")
            return False
        if renewal.versions:
            log.info("values of template variables are encrypted with the first key", versions=renewal.versions)
        for cause in sorted(renewal.failed):
            log.warning("a value of a template variable cannot be used", cause=cause)
        return True
