"""The operator as a process: it watches, and works for its share of the deployments, until it is told to end.

Called by `coder-enterprise operator`. It owns signals and tasks, and puts the parts together: who works for which
deployment is decided in `controller.shards`, what is done for it in `controller.engine`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import uuid
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import structlog

from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.errors import KubernetesError
from coder_enterprise.cluster.kubeconfig import configuration
from coder_enterprise.cluster.paths import SECRETS, custom
from coder_enterprise.controller import metrics
from coder_enterprise.controller.claims import Claims
from coder_enterprise.controller.engine import Engine
from coder_enterprise.controller.health import HealthServer
from coder_enterprise.controller.kopf_source import KopfSource
from coder_enterprise.controller.lease import LeaseTimes
from coder_enterprise.controller.leases import Membership
from coder_enterprise.controller.shards import Shards
from coder_enterprise.controller.view import View
from coder_enterprise.controller.watch import Watch, WatchTimes
from coder_enterprise.controller.watches import SourceStuck, Watches
from coder_enterprise.kinds.machinery.base import ManagedKind
from coder_enterprise.kinds.machinery.connection import ConnectionKind
from coder_enterprise.kinds.machinery.resource import WATCH_LABEL
from coder_enterprise.process import garbage
from coder_enterprise.process.signals import when_told_to_end

LIST_RETRY: Final = 2.0

Companion = Callable[[View, KubernetesClient], AbstractAsyncContextManager[object]]
"""Makes what runs for as long as the operator does, and reads what it knows."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ManagerSettings:
    kubeconfig: Path | None = None
    """None: $KUBECONFIG, ~/.kube/config, or the pod's service account."""
    context: str | None = None
    namespaces: tuple[str, ...] = ()
    """Which to watch; none named is all."""
    allowed_hosts: tuple[str, ...] = ()
    """Which hosts a CoderDeployment may name, with * for any part; none named is all."""
    lease_namespace: str = "default"
    lease_name: str = "coder-enterprise-operator"
    """What the replicas that share the work have in common: all Leases begin with it."""
    lease_times: LeaseTimes = field(default_factory=LeaseTimes)
    watch_times: WatchTimes = field(default_factory=WatchTimes)
    pod: str = ""
    """The uid of the pod that runs this process and no other operator; "" outside of one."""
    health: socket.socket | None = None
    """Where health and metrics are served; None is nowhere."""
    companion: Companion | None = None
    """Such as the page."""


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
        self._membership: Membership | None = None
        self._engine: Engine | None = None
        self._watches: Watches | None = None

    async def run(self) -> None:
        """Until SIGTERM or SIGINT. Raises `LeadershipLost` when other replicas may have taken over."""
        try:
            await self._run()
        except SourceStuck as error:
            # What does not end would keep the event loop, too, from ending: Kubernetes starts the process anew.
            log.critical("the process ends by force", cause=str(error))
            os._exit(1)

    async def _run(self) -> None:
        self._take_signals()
        metrics.start_time_seconds.set_to_current_time()
        settings = await configuration(self._settings.kubeconfig, self._settings.context)
        async with KubernetesClient(settings) as client:
            membership = self._membership = self._join(client)
            shards, claims = Shards(membership), Claims()
            engine = self._engine = Engine(
                client,
                shards,
                claims,
                self._connection_kind,
                self._managed_kinds,
                self._settings.namespaces,
                self._settings.allowed_hosts,
            )
            watches = self._watches = self._watch(client, engine, membership.identity)
            async with self._health(engine), self._companion(engine, client):
                if not await self._unless_stopped(self._load(client, claims, engine)):
                    return
                garbage.settle()
                try:
                    await self._work(client, claims, engine, watches, shards)
                finally:
                    await engine.disconnect()
                    await membership.leave()

    def stop(self) -> None:
        self._stop.set()

    def _join(self, client: KubernetesClient) -> Membership:
        pod = self._settings.pod
        identity = "_".join(filter(None, (socket.gethostname(), pod, str(uuid.uuid4()))))
        scope = ",".join(sorted(self._settings.namespaces))
        log.info("starting", identity=identity, leases=self._settings.lease_name, pid=os.getpid())
        return Membership(
            client,
            self._settings.lease_namespace,
            self._settings.lease_name,
            identity,
            scope,
            self._settings.lease_times,
            pod,
        )

    def _health(self, engine: Engine) -> HealthServer:
        return HealthServer(self._settings.health, self._is_alive, self._why_not_ready, self._measure)

    def _companion(self, engine: Engine, client: KubernetesClient) -> AbstractAsyncContextManager[object]:
        companion = self._settings.companion
        return companion(engine.view, client) if companion else contextlib.nullcontext()

    def _watch(self, client: KubernetesClient, engine: Engine, identity: str) -> Watches:
        times = self._settings.watch_times
        spaces = self._settings.namespaces or (None,)
        collections = [*((custom(plural), "") for plural in engine.plurals), (SECRETS, f"{WATCH_LABEL}=true")]
        found = [Watch(collection, space, selector) for collection, selector in collections for space in spaces]

        def source(watch: Watch) -> KopfSource:
            return KopfSource(watch, client, engine.on_event, identity, self._take_signals, times, engine.is_known)

        watches = Watches(found, source, engine.look, times)
        engine.missed = watches.missed
        return watches

    def _take_signals(self) -> None:
        when_told_to_end(self._stop.set)

    def _measure(self) -> None:
        if self._engine is not None and self._watches is not None:
            self._engine.measure()
            self._watches.measure()

    def _is_alive(self) -> bool:
        """No worker is stuck, and no watch has given up."""
        return self._engine is None or self._watches is None or (self._engine.moves and self._watches.moves)

    def _why_not_ready(self) -> str:
        """It is ready when it has listed everything, sees what changes in it, and is one of the replicas."""
        if self._engine is None or not self._engine.listed:
            return "not everything is listed yet"
        if self._membership is None or not self._membership.alive:
            return "the other replicas do not know that it lives"
        return "\n".join(self._watches.blind) if self._watches is not None else "nothing is watched yet"

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

    async def _load(self, client: KubernetesClient, claims: Claims, engine: Engine) -> None:
        """All that must be known before anything is decided."""
        while True:
            try:
                await claims.load(client, self._settings.lease_namespace)
                return await engine.load()
            except KubernetesError as error:
                log.warning("not listed yet", error=str(error))
                await asyncio.sleep(LIST_RETRY)

    async def _work(
        self, client: KubernetesClient, claims: Claims, engine: Engine, watches: Watches, shards: Shards
    ) -> None:
        watching = watches.start()
        tasks = [
            asyncio.create_task(shards.run(engine), name="shards"),
            asyncio.create_task(claims.keep(client, self._settings.lease_namespace), name="claims"),
            *engine.start(),
        ]
        try:
            await self._until_stopped([*watching, *tasks])
            await _cancel(watching)
            await shards.end(engine)
            await engine.drain()
        finally:
            await _cancel([*watching, *tasks])

    async def _until_stopped(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Until told to stop, or until one of `tasks` fails."""
        stop = asyncio.create_task(self._stop.wait())
        done, _ = await asyncio.wait((stop, *tasks), return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        for task in done:
            task.result()


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Raises `SourceStuck`, and nothing else that they ended with."""
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, SourceStuck):
            raise result
