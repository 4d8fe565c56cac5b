"""The operator as a whole: waits for the Lease, fills the store, watches, and keeps the workers busy.

Called by `coder-enterprise operator` and by the tests. It owns every task; what to do about an object is the
reconcilers' business, what has changed is the watch's. It knows which kind says how to connect, and no other name.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import uuid
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import structlog

from coder_enterprise.controller import metrics
from coder_enterprise.controller.connections import Connections
from coder_enterprise.controller.deployments import DeploymentReconciler
from coder_enterprise.controller.events import Recorder
from coder_enterprise.controller.health import HealthServer
from coder_enterprise.controller.kopf_source import KopfSource, Scope
from coder_enterprise.controller.kubernetes import (
    KubernetesClient,
    KubernetesError,
    configuration,
    custom,
)
from coder_enterprise.controller.leases import Elector, LeadershipLost, LeaseTimes
from coder_enterprise.controller.limits import Backoff
from coder_enterprise.controller.managed import ManagedReconciler
from coder_enterprise.controller.queue import IN_FLIGHT, Item, Priority, Queue
from coder_enterprise.controller.result import Again, Result
from coder_enterprise.controller.store import Store
from coder_enterprise.controller.writer import Writer
from coder_enterprise.kinds.base import ConnectionKind, ManagedKind
from coder_enterprise.kinds.resource import FORCE_DETACH, RECONCILE_REQUESTED_AT, Key, Resource

SWEEP_INTERVAL: Final = 600.0
COUNT_DELAY: Final = 2.0
DRAIN_TIMEOUT: Final = 10.0
RETRY_CAP: Final = 60.0

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
        self._kinds = {kind.names.kind: kind for kind in managed_kinds}
        names = [connection_kind.names, *(kind.names for kind in managed_kinds)]
        self._plurals = {name.kind: name.plural for name in names}
        self._kind_of = {name.plural: name.kind for name in names}
        self._store = Store(self._terms)
        self._queue = Queue()
        self._backoff = Backoff(cap=RETRY_CAP)
        self._connections = Connections()
        self._stop = asyncio.Event()
        self._synced = False

    async def run(self) -> None:
        """Until SIGTERM or SIGINT. Raises `LeadershipLost` when another operator may have taken over."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        settings = await configuration(self._settings.kubeconfig, self._settings.context)
        health = HealthServer(self._settings.health_host, self._settings.health_port, lambda: True)
        async with KubernetesClient(settings) as client, health:
            elector = Elector(
                client,
                self._settings.lease_namespace,
                self._settings.lease_name,
                f"{socket.gethostname()}_{uuid.uuid4()}",
                self._settings.lease_times,
            )
            log.info("waiting for the lease", lease=self._settings.lease_name, pid=os.getpid())
            if not await self._unless_stopped(elector.acquire()):
                return
            try:
                await self._lead(
                    client,
                    KopfSource(settings, list(self._kind_of), Scope(self._settings.namespaces), self._on_event),
                    elector,
                )
            finally:
                metrics.leader.set(0)
                await self._connections.close()
                await elector.release()

    def stop(self) -> None:
        self._stop.set()

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

    async def _lead(self, client: KubernetesClient, source: KopfSource, elector: Elector) -> None:
        log.info("leading", lease=self._settings.lease_name)
        metrics.leader.set(1)
        recorder = Recorder(client)
        writer = Writer(client, self._store, self._plurals, elector.check)
        self._managed = ManagedReconciler(
            list(self._kinds.values()),
            self._connection_kind,
            self._store,
            self._connections,
            writer,
            recorder,
        )
        self._deployments = DeploymentReconciler(
            self._connection_kind, client, self._store, self._connections, writer, recorder,
            fence=elector.check, gate=self,
        )  # fmt: skip
        # Kopf cancels, when it ends, what was started after it: so everything else is started before.
        tasks = [
            asyncio.create_task(elector.hold(), name="lease"),
            asyncio.create_task(self._sweep(client), name="sweep"),
            asyncio.create_task(recorder.run(), name="events"),
            *(asyncio.create_task(self._work(), name=f"worker-{number}") for number in range(IN_FLIGHT)),
        ]
        try:
            await self._watch(client, source, tasks)
            await self._drain(recorder)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self, client: KubernetesClient, source: KopfSource, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Until told to stop, or until one of `tasks` fails."""
        await self._list(client)
        self._synced = True
        watching = asyncio.create_task(source.run(self._stop), name="watch")
        done, _ = await asyncio.wait((watching, *tasks), return_when=asyncio.FIRST_COMPLETED)
        self._stop.set()
        if watching not in done:
            for task in done:
                task.result()
        await watching

    async def _drain(self, recorder: Recorder) -> None:
        """Let what is being worked on finish."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_TIMEOUT):
                await self._queue.idle()
                await recorder.drain()

    # What changes

    def _terms(self, resource: Resource) -> Iterator[tuple[Any, ...]]:
        """Under what the store files an object: what it refers to, what it claims, what it holds."""
        key = resource.key
        if key.kind == self._connection_kind.names.kind:
            for name in _secret_names(resource.spec):
                yield ("secret", key.namespace, name)
            return
        kind = self._kinds[key.kind]
        yield ("deployment", self._deployment_of(resource))
        with contextlib.suppress(ValueError):
            yield (
                "name",
                key.kind,
                kind.external_name(resource, kind.spec_model.model_validate(resource.spec)),
            )
        if resource.external_id:
            yield ("id", key.kind, resource.external_id)

    def _deployment_of(self, resource: Resource) -> Key:
        ref = resource.spec.get("deploymentRef") or {}
        namespace = ref.get("namespace") or resource.key.namespace
        return Key(self._connection_kind.names.kind, namespace, ref.get("name") or "coder")

    def _lane(self, resource: Resource) -> Key | None:
        """Objects of one deployment share a lane; the deployments themselves are never held."""
        return None if resource.key.kind == self._connection_kind.names.kind else self._deployment_of(resource)

    def _on_event(self, plural: str, type_: str | None, body: Mapping[str, Any]) -> None:
        if plural == "secrets":
            self._on_secret(body)
            return
        resource = Resource.from_body(self._kind_of[plural], body)
        if type_ == "DELETED":
            if self._store.remove(resource.key, resource.uid):
                self._on_gone(resource)
            return
        known = self._store.get(resource.key)
        if self._store.put(resource) and self._store.get(resource.key) is resource:
            self._on_change(known, resource)

    def _on_change(self, known: Resource | None, resource: Resource) -> None:
        if known is None and resource.key.kind == self._connection_kind.names.kind:
            self._queue.hold(resource.key)
            self._connections.ensure(resource.key)
        if known is None or known.uid != resource.uid or _asks_for_work(known, resource):
            priority = Priority.DELETION if resource.deleting else Priority.USER
            self._backoff.reset(resource.key)
            self._queue.add(resource.key, self._lane(resource), priority)
        if known is not None and known.spec != resource.spec:
            self._wake_rivals(known)

    def _on_gone(self, resource: Resource) -> None:
        key = resource.key
        self._queue.forget(key)
        self._backoff.reset(key)
        if key.kind == self._connection_kind.names.kind:
            self._connections.detach(key)
            self.open(key)
        else:
            self._wake_rivals(resource)
            self._count(resource)

    def _on_secret(self, body: Mapping[str, Any]) -> None:
        meta = body["metadata"]
        for key in self._store.find(("secret", meta["namespace"], meta["name"])):
            self._queue.add(key, None, Priority.USER)

    # The gate of `DeploymentReconciler`

    def open(self, deployment: Key) -> None:
        """Let the objects of a deployment pass, all of them once."""
        self._queue.release(deployment)
        for resource in self._objects_of(deployment):
            self._queue.add(resource.key, deployment, Priority.DELETION if resource.deleting else Priority.RESYNC)

    def close(self, deployment: Key, *, tell: bool) -> None:
        """Let them wait; with `tell` those that are not settled say so."""
        self._queue.hold(deployment)
        for resource in self._objects_of(deployment) if tell else ():
            if not resource.settled:
                self._queue.add(resource.key, deployment, Priority.USER)

    def broken(self, deployment: Key) -> None:
        """Let them wait, and ask the deployment at once."""
        self._queue.hold(deployment)
        if self._store.get(deployment) is not None:
            self._queue.add(deployment, None, Priority.USER)

    def _objects_of(self, deployment: Key) -> list[Resource]:
        found = (self._store.get(key) for key in self._store.find(("deployment", deployment)))
        return [resource for resource in found if resource is not None]

    def _wake_rivals(self, resource: Resource) -> None:
        """Who lost a conflict against `resource` may win now."""
        for term in self._terms(resource):
            if term[0] in {"name", "id"}:
                for key in self._store.find(term):
                    if key != resource.key:
                        other = self._store.get(key)
                        if other is not None:
                            self._queue.add(key, self._lane(other), Priority.RETRY)

    def _count(self, resource: Resource) -> None:
        """The deployment counts its objects; a burst is counted once."""
        deployment = self._deployment_of(resource)
        if self._store.get(deployment) is not None:
            self._queue.add(deployment, None, Priority.RESYNC, delay=COUNT_DELAY)

    # Work

    async def _work(self) -> None:
        while True:
            item = await self._queue.get()
            try:
                await self._visit(item)
            finally:
                self._queue.done(item.key)
                metrics.queue_depth.set(len(self._queue))

    async def _visit(self, item: Item) -> None:
        resource = self._store.get(item.key)
        if resource is None:
            return
        was_ready = resource.ready
        with metrics.reconcile_seconds.labels(item.key.kind).time():
            result = await self._reconcile(resource, item)
        metrics.reconciles.labels(item.key.kind, result.label).inc()
        self._schedule(resource, result)
        current = self._store.get(item.key)
        if current is not resource and self._lane(resource) is not None:
            if current is None:
                self._on_gone(resource)
            elif current.ready != was_ready or resource.status.get("observedGeneration") == -1:
                self._count(resource)

    async def _reconcile(self, resource: Resource, item: Item) -> Result:
        try:
            if item.key.kind == self._connection_kind.names.kind:
                return await self._deployments.reconcile(resource, ask=item.priority is not Priority.RESYNC)
            return await self._managed.reconcile(resource)
        except LeadershipLost:
            raise
        except KubernetesError as error:
            log.info("kubernetes refused", object=str(item.key), error=str(error))
            return Result(Again.BACKOFF, label="transient")
        except Exception:
            log.exception("a fault of the operator", object=str(item.key))
            return Result(Again.BACKOFF, label="fault")

    def _schedule(self, resource: Resource, result: Result) -> None:
        key, lane = resource.key, self._lane(resource)
        if result.again is not Again.BACKOFF:
            self._backoff.reset(key)
        if result.again is Again.NEVER:
            return
        delay = self._backoff.next(key) if result.again is Again.BACKOFF else result.delay
        self._queue.add(key, lane, Priority.DELETION if resource.deleting else Priority.RETRY, max(0.01, delay))

    # The whole picture

    async def _list(self, client: KubernetesClient) -> None:
        """Fill the store, connections first, before anything is decided: who is older matters."""
        for namespace in self._settings.namespaces or (None,):
            for plural in self._kind_of:
                kind = self._kind_of[plural]
                async for page in client.pages(custom(plural), namespace):
                    for body in page:
                        self._store.put(Resource.from_body(kind, body))
        resources = list(self._store)
        for resource in resources:
            if resource.key.kind == self._connection_kind.names.kind:
                self._on_change(None, resource)
        for resource in resources:
            lane = self._lane(resource)
            if lane is not None:
                priority = Priority.DELETION if resource.deleting else Priority.RESYNC
                self._queue.add(resource.key, lane, priority)
        log.info("listed", objects=len(resources))

    async def _sweep(self, client: KubernetesClient) -> None:
        """Forget objects that vanished while nobody watched: a relist does not tell."""
        while True:
            await asyncio.sleep(SWEEP_INTERVAL)
            try:
                await self._sweep_once(client)
            except KubernetesError as error:
                log.warning("sweep failed", error=str(error))

    async def _sweep_once(self, client: KubernetesClient) -> None:
        before = {resource.key: resource for resource in self._store}
        seen: set[str] = set()
        for namespace in self._settings.namespaces or (None,):
            for plural in self._kind_of:
                async for page in client.pages(custom(plural), namespace):
                    seen |= {body["metadata"]["uid"] for body in page}
        for resource in before.values():
            if resource.uid not in seen and self._store.remove(resource.key, resource.uid):
                self._on_gone(resource)


def _asks_for_work(known: Resource, resource: Resource) -> bool:
    """Whether more has changed than what the operator itself writes."""
    return (
        known.generation != resource.generation
        or known.deleting != resource.deleting
        or known.annotations.get(FORCE_DETACH) != resource.annotations.get(FORCE_DETACH)
        or known.annotations.get(RECONCILE_REQUESTED_AT) != resource.annotations.get(RECONCILE_REQUESTED_AT)
        or (known.status != resource.status and resource.status.get("observedGeneration") == -1)
    )


def _secret_names(spec: Mapping[str, Any]) -> list[str]:
    """Every `…SecretRef` of a spec."""
    refs = [value for name, value in spec.items() if name.endswith("SecretRef") and isinstance(value, dict)]
    return [ref["name"] for ref in refs if "name" in ref]
