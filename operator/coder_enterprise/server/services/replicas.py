"""The replicas of this server: which processes serve the deployment, and whether they reach each other.

Each is a row that `workers.replicas` keeps alive. One that is stopped in good order is gone at once, and one that
crashed after fifteen seconds, as in Coder.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from coder_enterprise.server import access
from coder_enterprise.server.access import Actor, Kind, Subject
from coder_enterprise.server.errors import NotFound
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.replica_views import to_wire
from coder_enterprise.server.storage import replicas
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.server.storage.replicas import Replica as ReplicaRow
from coder_enterprise.wire.replicas import Replica

ALIVE: Final = timedelta(seconds=15)
FORGOTTEN: Final = timedelta(seconds=120)
"""Longer than any replica, also a proxy's, may be silent and still be alive."""
REGION_ID: Final = 999
"""Coder's default for the region that the server is."""


class Replicas:
    def __init__(self, database: Database, relay_address: str, clock: Callable[[], datetime] = now) -> None:
        self._database = database
        self._clock = clock
        moment = clock()
        self._own = ReplicaRow(
            id=uuid4(),
            is_primary=True,
            region_id=REGION_ID,
            hostname=socket.gethostname(),
            relay_address=relay_address,
            error="",
            database_latency=0,
            created_at=moment,
            seen_at=moment,
            stopped_at=None,
        )

    async def list(self, actor: Actor) -> list[Replica]:
        """This one last. Raises `NotFound` for all but owners."""
        if not access.sees(actor, Subject(Kind.REPLICA)):
            raise NotFound
        return [to_wire(row) for row in (*await self.peers(), self._own)]

    async def peers(self) -> Sequence[ReplicaRow]:
        """The others that are alive."""
        since = self._clock() - ALIVE
        rows = await self._database.read(
            lambda connection: replicas.living(connection, since, is_primary=True, region_id=REGION_ID)
        )
        return [row for row in rows if row.id != self._own.id]

    async def beat(self, error: str) -> None:
        """Say that this one is alive, and which others it does not reach; forget those that are long gone."""
        started = time.perf_counter()
        await self._database.read(replicas.ping)
        latency = round((time.perf_counter() - started) * 1_000_000)
        moment = self._clock()
        own = self._own = self._own._replace(error=error, database_latency=latency, seen_at=moment)

        def work(connection: Connection) -> None:
            replicas.put(connection, own)
            replicas.forget(connection, moment - FORGOTTEN)

        await self._database.write(work)

    async def leave(self) -> None:
        """Be gone for the others at once."""
        moment, own = self._clock(), self._own.id
        await self._database.write(lambda connection: replicas.stop(connection, own, moment))
