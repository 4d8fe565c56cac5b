"""The seam with a clock: how much is handed to the database at once, and for how long each has to wait for it.

Stands before the database that there is; made by `run`, and exposed by `services.metrics`.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable
from typing import Final, TypeVar

from prometheus_client import Gauge, Histogram
from typing_extensions import override

from coder_enterprise.server.storage.database import Database, Work

T = TypeVar("T")

BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds."""


class MeasuredDatabase(Database):
    def __init__(self, database: Database) -> None:
        self._database = database
        self.notifications = database.notifications
        self._waiting = 0
        self.waiting = Gauge(
            "coder_enterprise_server_database_waiting",
            "Transactions that were handed to the database and are not done.",
            registry=None,
        )
        self.waiting.set_function(lambda: self._waiting)
        self.seconds = Histogram(
            "coder_enterprise_server_database_seconds",
            "Duration of transactions, with the time that they waited for their turn.",
            ("operation",),
            buckets=BUCKETS,
            registry=None,
        )
        self._reads, self._look_ups, self._writes = map(self.seconds.labels, ("read", "look_up", "write"))

    @override
    async def read(self, work: Work[T]) -> T:
        return await self._measured(self._reads, self._database.read(work))

    @override
    async def look_up(self, work: Work[T]) -> T:
        return await self._measured(self._look_ups, self._database.look_up(work))

    @override
    async def write(self, work: Work[T]) -> T:
        return await self._measured(self._writes, self._database.write(work))

    @override
    async def close(self) -> None:
        await self._database.close()

    async def _measured(self, seconds: Histogram, transaction: Awaitable[T]) -> T:
        """Those that fail count, too."""
        began = time.perf_counter()
        self._waiting += 1
        try:
            return await transaction
        finally:
            self._waiting -= 1
            seconds.observe(time.perf_counter() - began)
