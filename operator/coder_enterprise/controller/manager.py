"""The operator as a process: waits for the Lease, then watches and works until it is told to end.

Called by `coder-enterprise operator`. It owns signals, the Lease and the tasks; what the leader does is the engine's.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import uuid
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from coder_enterprise.controller import metrics
from coder_enterprise.controller.engine import Engine
from coder_enterprise.controller.health import HealthServer
from coder_enterprise.controller.kopf_source import KopfSource, Scope
from coder_enterprise.controller.kubernetes import KubernetesClient, configuration
from coder_enterprise.controller.leases import Elector, LeaseTimes
from coder_enterprise.kinds.base import ConnectionKind, ManagedKind

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ManagerSettings:
    kubeconfig: Path | None = None
    """None: $KUBECONFIG, ~/.kube/config, or the pod's service account."""
    context: str | None = None
    namespaces: tuple[str, ...] = ()
    """Which to watch; none named is all."""
    lease_namespace: str = "default"
    lease_name: str = "coder-enterprise-operator"
    lease_times: LeaseTimes = field(default_factory=LeaseTimes)
    health_host: str = "127.0.0.1"
    health_port: int = 8081
    """-1 serves neither health nor metrics."""


class Manager:
    def __init__(
        self,
        settings: ManagerSettings,
        connection_kind: ConnectionKind[Any],
        managed_kinds: Sequence[ManagedKind[Any, Any]],
    ) -> None:
        self._settings = settings
        self._connection_kind = connection_kind
        self._managed_kinds = managed_kinds
        self._stop = asyncio.Event()
        self._elector: Elector | None = None
        self._engine: Engine | None = None

    async def run(self) -> None:
        """Until SIGTERM or SIGINT. Raises `LeadershipLost` when another operator may have taken over."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        settings = await configuration(self._settings.kubeconfig, self._settings.context)
        health = HealthServer(self._settings.health_host, self._settings.health_port, self._is_alive, self._is_ready)
        async with KubernetesClient(settings) as client, health:
            elector = self._elector = Elector(
                client,
                self._settings.lease_namespace,
                self._settings.lease_name,
                f"{socket.gethostname()}_{uuid.uuid4()}",
                self._settings.lease_times,
            )
            log.info("waiting for the lease", lease=self._settings.lease_name, pid=os.getpid())
            if not await self._unless_stopped(elector.acquire()):
                return
            engine = self._engine = Engine(
                client, elector.check, self._connection_kind, self._managed_kinds, self._settings.namespaces
            )
            source = KopfSource(settings, engine.plurals, Scope(self._settings.namespaces), engine.on_event)
            try:
                await self._lead(engine, source, elector)
            finally:
                metrics.leader.set(0)
                await engine.disconnect()
                await elector.release()

    def stop(self) -> None:
        self._stop.set()

    def _is_alive(self) -> bool:
        return self._engine is None or self._engine.moves

    def _is_ready(self) -> bool:
        """Leading with the whole picture, or a follower that sees who leads."""
        if self._engine is not None:
            return self._engine.listed
        return self._elector is not None and bool(self._elector.holder)

    async def _unless_stopped(self, work: Coroutine[Any, Any, None]) -> bool:
        task = asyncio.create_task(work)
        stop = asyncio.create_task(self._stop.wait())
        await asyncio.wait((task, stop), return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if not task.done():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            return False
        task.result()
        return True

    async def _lead(self, engine: Engine, source: KopfSource, elector: Elector) -> None:
        log.info("leading", lease=self._settings.lease_name)
        metrics.leader.set(1)
        # Kopf cancels, when it ends, what was started after it: so everything else is started before.
        tasks = [asyncio.create_task(elector.hold(), name="lease"), *engine.start()]
        try:
            await self._watch(engine, source, tasks)
            await engine.drain()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self, engine: Engine, source: KopfSource, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Until told to stop, or until one of `tasks` fails."""
        await engine.load()
        watching = asyncio.create_task(source.run(self._stop), name="watch")
        done, _ = await asyncio.wait((watching, *tasks), return_when=asyncio.FIRST_COMPLETED)
        self._stop.set()
        if watching not in done:
            for task in done:
                task.result()
        await watching
