"""Keeps this replica's row alive, and asks the other replicas whether they can be reached."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

import structlog

from coder_enterprise.server.probes import Probes, Unreachable
from coder_enterprise.server.services.replicas import Replicas
from coder_enterprise.server.storage.replicas import Replica

HEARTBEAT: Final = 5.0
TIMEOUT: Final = 3.0
"""Both in seconds."""
PROBE_PATH: Final = "/derp/latency-check"

log = structlog.get_logger(__name__)


class ReplicaSync:
    """`counted` is told how many servers there are, at each turn."""

    def __init__(self, replicas: Replicas, probes: Probes, counted: Callable[[int], None]) -> None:
        self._replicas = replicas
        self._counted = counted
        self._probes = probes

    async def run(self) -> None:
        try:
            await self._attempt(self._replicas.beat(""))  # be there at once: a peer that hangs takes seconds
            while True:
                await self._attempt(self.sync())
                await asyncio.sleep(HEARTBEAT)
        finally:
            await self._replicas.leave()

    async def sync(self) -> None:
        """One turn."""
        peers = await self._replicas.peers()
        self._counted(len(peers) + 1)
        await self._replicas.beat(await self._unreachable(peers))

    async def _attempt(self, turn: Coroutine[Any, Any, None]) -> None:
        try:
            await turn
        except Exception:
            log.exception("this replica could not be kept alive in the database")

    async def _unreachable(self, peers: Sequence[Replica]) -> str:
        """Who does not answer at its relay address, and why; one without an address is not asked."""
        causes = await asyncio.gather(*(self._ask(peer) for peer in peers if peer.relay_address))
        return "; ".join(cause for cause in causes if cause)

    async def _ask(self, peer: Replica) -> str:
        url = peer.relay_address.rstrip("/") + PROBE_PATH
        try:
            answer = await self._probes.get(url, TIMEOUT)
        except Unreachable as error:
            return f"{peer.hostname} at {url}: {error}"
        return "" if answer.status == 200 else f"{peer.hostname} at {url}: answered {answer.status} instead of 200"
