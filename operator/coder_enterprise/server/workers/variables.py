"""Encrypts with the first key, once after the start, what was stored without it: template variables and SSH keys."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from coder_enterprise.server.services.git_ssh_keys import OF_USERS
from coder_enterprise.server.services.variables import Variables, renew
from coder_enterprise.server.storage.database import Database

RETRY_AFTER: Final = 60.0
"""Seconds."""

log = structlog.get_logger(__name__)


class VariablesWorker:
    """Every replica has one: what one has encrypted, another finds encrypted."""

    def __init__(self, database: Database, variables: Variables, ssh_keys: Variables) -> None:
        self._database = database
        self._variables = variables
        self._ssh_keys = ssh_keys

    async def run(self) -> None:
        while self._variables.encrypts and not await self._attempt():
            await asyncio.sleep(RETRY_AFTER)

    async def _attempt(self) -> bool:
        """Whether it is done."""
        try:
            of_versions = await renew(self._database, self._variables)
            of_users = await renew(self._database, self._ssh_keys, OF_USERS)
        except Exception:
            log.exception("values of template variables, or SSH keys, could not be encrypted")
            return False
        if of_versions.count:
            log.info("values of template variables are encrypted with the first key", versions=of_versions.count)
        if of_users.count:
            log.info("SSH keys are encrypted with the first key", users=of_users.count)
        for cause in sorted(of_versions.failed | of_users.failed):
            log.warning("a value that is kept cannot be used", cause=cause)
        return True
