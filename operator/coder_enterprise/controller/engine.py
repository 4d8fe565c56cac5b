"""The operator while it leads: store, queue and workers, between what changes and what is done about it.

Made by the manager, which feeds it from the watch. It is the gate between the deployments and their objects. What to
do about an object is the reconcilers' business. It knows which kind says how to connect, and no other name.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, Final

import structlog

from coder_enterprise.controller import metrics
from coder_enterprise.controller.cluster import Cluster
from coder_enterprise.controller.connections import Connections
from coder_enterprise.controller.deployments import DeploymentReconciler
from coder_enterprise.controller.events import Recorder
from coder_enterprise.controller.kubernetes import KubernetesClient, KubernetesError, custom
from coder_enterprise.controller.leases import LeadershipLost
from coder_enterprise.controller.limits import MAX_DELAY, MAX_SLOW_DELAY, Backoff
from coder_enterprise.controller.managed import PENDING, ManagedReconciler
from coder_enterprise.controller.queue import IN_FLIGHT, Item, Priority, Queue
from coder_enterprise.controller.result import Again, Result
from coder_enterprise.controller.store import Store
from coder_enterprise.controller.writer import Writer
from coder_enterprise.kinds.base import ConnectionKind, ManagedKind
from coder_enterprise.kinds.resource import CLAIM, Key, Resource

SWEEP_INTERVAL: Final = 600.0
COUNT_DELAY: Final = 2.0
PEOPLE_DELAY: Final = 1.0
"""In seconds, as those around it: people who come together are added together."""
DRAIN_TIMEOUT: Final = 10.0
STUCK_AFTER: Final = 600.0
"""Seconds: no reconcile takes that long, each of its requests being limited."""

log = structlog.get_logger(__name__)


class Engine:
    """Everything between the watch and the reconcilers, of one leader."""

    def __init__(
        self,
        client: KubernetesClient,
        fence: Callable[[], None],
        connection_kind: ConnectionKind[Any],
        managed_kinds: Sequence[ManagedKind[Any, Any]],
        namespaces: Sequence[str] = (),
    ) -> None:
        self._client = client
        self._connection_kind = connection_kind
        self._kinds = {kind.names.kind: kind for kind in managed_kinds}
        self._namespaces = namespaces
        names = [connection_kind.names, *(kind.names for kind in managed_kinds)]
        self._kind_of = {name.plural: name.kind for name in names}
        self._store = Store(self._terms, self._on_store)
        self._queue = Queue()
        self._backoff = Backoff()
        self._connections = Connections(Cluster(client, self._store, fence))
        self._recorder = Recorder(client)
        writer = Writer(client, self._store, {name.kind: name.plural for name in names}, fence)
        self._managed = ManagedReconciler(
            managed_kinds,
            connection_kind,
            self._store,
            self._connections,
            writer,
            self._recorder,
            ask=self._ask,
            people_came=self._people_came,
        )
        self._deployments = DeploymentReconciler(
            connection_kind, client, self._store, self._connections, writer, self._recorder, fence, self
        )
        self.listed = False
        """The store holds everything."""

    @property
    def plurals(self) -> list[str]:
        """What must be watched."""
        return list(self._kind_of)

    @property
    def moves(self) -> bool:
        """No worker is stuck."""
        return self._queue.longest_running < STUCK_AFTER

    def start(self) -> list[asyncio.Task[None]]:
        """Its tasks: none of them ends by itself, but by failing. The caller cancels them."""
        return [
            asyncio.create_task(self._sweep(), name="sweep"),
            asyncio.create_task(self._recorder.run(), name="events"),
            *(asyncio.create_task(self._work(), name=f"worker-{number}") for number in range(IN_FLIGHT)),
        ]

    async def drain(self) -> None:
        """Let what is being worked on finish."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_TIMEOUT):
                await self._queue.idle()
                await self._recorder.drain()

    async def disconnect(self) -> None:
        await self._connections.close()

    # What changes

    def _terms(self, resource: Resource) -> Iterator[tuple[Any, ...]]:
        """Under what the store files an object: what it refers to, what it claims, what it holds."""
        key = resource.key
        if key.kind == self._connection_kind.names.kind:
            for name in _secret_names(resource.spec):
                yield ("secret", key.namespace, name)
            return
        yield ("deployment", self._deployment_of(resource))
        if resource.external_id:
            yield ("id", key.kind, resource.external_id)
        if any(map(resource.status.get, PENDING)):
            yield ("pending", self._deployment_of(resource))
        kind = self._kinds[key.kind]
        with contextlib.suppress(ValueError):
            spec = kind.spec_model.model_validate(resource.spec)
            yield ("name", key.kind, kind.external_name(resource, spec))
            for name in kind.secrets(resource, spec):
                yield ("secret", key.namespace, name)
            for reference in kind.references(resource, spec):
                yield ("reference", reference)

    def _deployment_of(self, resource: Resource) -> Key:
        return Key(self._connection_kind.names.kind, *resource.deployment)

    def _lane(self, resource: Resource) -> Key | None:
        """Objects of one deployment share a lane; the deployments themselves are never held."""
        return None if resource.key.kind == self._connection_kind.names.kind else self._deployment_of(resource)

    def on_event(self, plural: str, type_: str | None, body: Mapping[str, Any]) -> None:
        """What the watch saw; `type_` is None for what a list holds."""
        if plural == "secrets":
            self._on_secret(body)
            return
        resource = Resource.from_body(self._kind_of[plural], body)
        if type_ == "DELETED":
            self._store.remove(resource.key, resource.uid)
        else:
            self._store.put(resource)

    def _on_store(self, known: Resource | None, resource: Resource | None) -> None:
        """Each change of the store, by the watch or by an answer to our own write."""
        if resource is None:
            if known is not None:
                self._on_gone(known)
        elif self.listed:
            self._on_change(known, resource)

    def _on_change(self, known: Resource | None, resource: Resource) -> None:
        is_deployment = resource.key.kind == self._connection_kind.names.kind
        if known is None and is_deployment:
            self._queue.hold(resource.key)
            self._connections.ensure(resource.key)
        if known is None or _asks_for_work(known, resource):
            priority = Priority.DELETION if resource.deleting else Priority.USER
            self._backoff.reset(resource.key)
            self._queue.add(resource.key, self._lane(resource), priority)
        if known is not None and known.spec != resource.spec:
            self._wake_rivals(known)
        if not is_deployment and (known is None or known.ready != resource.ready):
            self._count(resource)
        if known is None or known.external_id != resource.external_id or known.ready != resource.ready:
            self._wake_referrers(resource)

    def _on_gone(self, resource: Resource) -> None:
        key = resource.key
        self._queue.forget(key)
        self._backoff.reset(key)
        if key.kind == self._connection_kind.names.kind:
            self._connections.detach(key)
            metrics.deployment_figures(key, {})
            self.open(key, changed=True)
        else:
            self._wake_rivals(resource)
            self._wake_referrers(resource)
            self._count(resource)

    def _on_secret(self, body: Mapping[str, Any]) -> None:
        meta = body["metadata"]
        self._wake(("secret", meta["namespace"], meta["name"]), Priority.USER)

    def _ask(self, deployment: Key) -> None:
        """Have a deployment say anew how it is."""
        self._queue.add(deployment, None, Priority.USER)

    def _people_came(self, deployment: Key) -> None:
        """Who waits for people may find them now."""
        self._wake(("pending", deployment), Priority.RETRY, delay=PEOPLE_DELAY)

    def _wake_referrers(self, resource: Resource) -> None:
        """Who waits for it may go on."""
        self._wake(("reference", resource.key), Priority.RETRY)

    def _wake(self, term: Hashable, priority: Priority, but: Key | None = None, delay: float = 0.0) -> None:
        for key in self._store.find(term):
            resource = self._store.get(key)
            if resource is not None and key != but:
                self._queue.add(key, self._lane(resource), priority, delay)

    # The gate of the deployments

    def open(self, deployment: Key, *, changed: bool) -> None:
        """Let the objects of a deployment pass, and with `changed` all of them once."""
        self._queue.release(deployment)
        for resource in self._objects_of(deployment) if changed else ():
            self._queue.add(resource.key, deployment, Priority.DELETION if resource.deleting else Priority.RESYNC)
        self._count_circuits()

    def close(self, deployment: Key, *, tell: bool) -> None:
        """Let them wait; with `tell` those that are not settled say so."""
        self._queue.hold(deployment)
        for resource in self._objects_of(deployment) if tell else ():
            if not resource.settled:
                self._queue.add(resource.key, deployment, Priority.USER)
        self._count_circuits()

    def broken(self, deployment: Key) -> None:
        """Let them wait, and ask the deployment: at once, but ever later if it answers well and breaks again."""
        connection = self._connections.get(deployment)
        if connection is None or self._store.get(deployment) is None:
            return
        self._queue.hold(deployment)
        self._queue.add(deployment, None, Priority.USER, connection.cool_down())
        self._count_circuits()

    def paused(self, deployment: Key, seconds: float) -> None:
        """Let them wait for that long."""
        self._queue.pause(deployment, seconds)

    def _count_circuits(self) -> None:
        unusable = sum(1 for connection in self._connections if not connection.deleted and not connection.usable)
        metrics.circuits_open.set(unusable)

    def _objects_of(self, deployment: Key) -> list[Resource]:
        found = (self._store.get(key) for key in self._store.find(("deployment", deployment)))
        return [resource for resource in found if resource is not None]

    def _wake_rivals(self, resource: Resource) -> None:
        """Who lost a conflict against `resource` may win now."""
        for term in self._terms(resource):
            if term[0] in {"name", "id"}:
                self._wake(term, Priority.RETRY, but=resource.key)

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
        with metrics.reconcile_seconds.labels(item.key.kind).time():
            result = await self._reconcile(resource, item)
        metrics.reconciles.labels(item.key.kind, result.label).inc()
        current = self._store.get(item.key)
        if current is not None and current.uid == resource.uid:
            self._schedule(current, result)

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
        key = resource.key
        if result.again in {Again.NEVER, Again.AFTER}:
            self._backoff.reset(key)
        if result.again is Again.NEVER:
            return
        delay = result.delay
        if result.again is not Again.AFTER:
            delay = self._backoff.next(key, MAX_SLOW_DELAY if result.again is Again.SLOWLY else MAX_DELAY)
        priority = Priority.DELETION if resource.deleting else Priority.RETRY
        self._queue.add(key, self._lane(resource), priority, max(0.01, delay))

    # The whole picture

    async def load(self) -> None:
        """Fill the store before anything is decided, since who is older matters; then decide, connections first."""
        async for kind, page in self._pages():
            for body in page:
                self._store.put(Resource.from_body(kind, body))
        self.listed = True
        resources = sorted(self._store, key=lambda resource: self._lane(resource) is not None)
        for resource in resources:
            lane = self._lane(resource)
            if lane is None:
                self._on_change(None, resource)
            else:
                priority = Priority.DELETION if resource.deleting else Priority.RESYNC
                self._queue.add(resource.key, lane, priority)
        log.info("listed", objects=len(resources))

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_INTERVAL)
            try:
                await self.sweep_once()
            except KubernetesError as error:
                log.warning("sweep failed", error=str(error))

    async def sweep_once(self) -> None:
        """Forget objects that vanished while nobody watched (a relist does not tell), and connections that nobody
        needs any more."""
        before = list(self._store)
        seen: set[str] = set()
        async for _, page in self._pages():
            seen |= {body["metadata"]["uid"] for body in page}
        for resource in before:
            if resource.uid not in seen:
                self._store.remove(resource.key, resource.uid)
        for connection in self._connections:
            if connection.deleted and not self._store.find(("deployment", connection.key)):
                await self._connections.forget(connection.key)

    async def _pages(self) -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
        """All objects with their kind, page by page."""
        for namespace in self._namespaces or (None,):
            for plural, kind in self._kind_of.items():
                async for page in self._client.pages(custom(plural), namespace):
                    yield kind, page


def _asks_for_work(known: Resource, resource: Resource) -> bool:
    """Whether more has changed than what the operator itself writes."""
    return (
        known.generation != resource.generation
        or known.deleting != resource.deleting
        or _requests(known) != _requests(resource)
        or (known.status != resource.status and resource.status.get("observedGeneration") == -1)
    )


def _requests(resource: Resource) -> dict[str, str]:
    """What users ask for by annotation."""
    return {name: value for name, value in resource.annotations.items() if name != CLAIM}


def _secret_names(spec: Mapping[str, Any]) -> list[str]:
    """Every `…SecretRef` of a spec."""
    refs = [value for name, value in spec.items() if name.endswith("SecretRef") and isinstance(value, dict)]
    return [ref["name"] for ref in refs if "name" in ref]
