"""Messages between replicas through PostgreSQL: NOTIFY sends, and one connection of its own LISTENs.

That connection comes back by itself. After each time that it was away, and at the start, every subscriber is told to
read everything again. A pooler between the server and PostgreSQL must keep sessions apart, or nothing is heard.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog
from sqlalchemy import Connection, bindparam, func, select
from typing_extensions import override

from coder_enterprise.server.storage.failures import Failure
from coder_enterprise.server.storage.notifications import Notifications, Subscriber, Subscribers, check
from coder_enterprise.server.storage.postgresql_server import FAULTS, PostgreSQLServer, cause

CHANNEL: Final = "coder_enterprise"
"""PostgreSQL's; ours are the first word of each message, so that one LISTEN is enough."""
PROBE_INTERVAL: Final = 30.0
"""Seconds after which a silent connection is asked whether it is there."""
FIRST_DELAY: Final = 0.1
MAX_DELAY: Final = 5.0

_NOTIFY: Final = select(func.pg_notify(CHANNEL, bindparam("payload")))

log = structlog.get_logger(__name__)


class PostgreSQLNotifications(Notifications):
    """`write` is the database's."""

    def __init__(
        self, server: PostgreSQLServer, write: Callable[[Callable[[Connection], None]], Awaitable[None]]
    ) -> None:
        self._server = server
        self._write = write
        self._subscribers = Subscribers()
        self._task = asyncio.create_task(self._listen(), name="notifications")

    @override
    def subscribe(self, channel: str, subscriber: Subscriber) -> None:
        self._subscribers.add(channel, subscriber)

    @override
    async def publish(self, channel: str, message: str = "") -> None:
        payload = f"{channel} {check(message)}"

        def work(connection: Connection) -> None:
            connection.execute(_NOTIFY, {"payload": payload})

        try:
            await self._write(work)
        except Failure as error:
            log.warning("a message to the other replicas is lost", channel=channel, cause=error.message)

    async def close(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _listen(self) -> None:
        delay = FIRST_DELAY
        while True:
            try:
                connection = await self._server.connect()
                delay = FIRST_DELAY
                await self._hear(connection)
            except FAULTS as error:
                log.warning("messages of other replicas are not heard", cause=cause(error), retry_within_s=delay)
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311
            delay = min(delay * 2, MAX_DELAY)

    async def _hear(self, connection: Any) -> None:
        """Until the connection ends."""
        ended = asyncio.Event()
        connection.add_termination_listener(lambda _: ended.set())
        try:
            await connection.add_listener(CHANNEL, self._received)
            self._subscribers.tell_all_to_read_again()
            while not ended.is_set():
                try:
                    async with asyncio.timeout(PROBE_INTERVAL):
                        await ended.wait()
                except TimeoutError:
                    await connection.execute("SELECT 1")
        finally:
            # What it listens to goes with it: taking the listener off first would be one more statement that can fail.
            connection.terminate()

    def _received(self, _connection: Any, _pid: int, _channel: str, payload: str) -> None:
        channel, _, message = payload.partition(" ")
        self._subscribers.tell(channel, message)
