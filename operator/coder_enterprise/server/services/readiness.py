"""Whether this process should be sent requests. Asked by the kubelet through /readyz, and by whoever balances."""

from __future__ import annotations

import asyncio
from typing import Final

from coder_enterprise.server.storage import replicas
from coder_enterprise.server.storage.database import Database
from coder_enterprise.server.storage.failures import Outage, Overload

DEADLINE: Final = 2.0
"""Seconds that the database has to answer."""


class Readiness:
    def __init__(self, database: Database) -> None:
        self._database = database
        self.ending = False
        """It was told to end: it answers what still comes, and wants no more."""

    async def problem(self) -> str:
        """Why no request should come; "" when it is ready. One that is overloaded is: the others are as well."""
        if self.ending:
            return "the server is ending"
        try:
            async with asyncio.timeout(DEADLINE):
                await self._database.read(replicas.ping)
        except Overload:
            return ""
        except Outage as error:
            return str(error)
        except TimeoutError:
            return f"the database has not answered within {DEADLINE:.0f} s"
        return ""
