"""The operator at work: store, queue and workers, between what changes and what is done about it.

Made by the manager, which feeds it from the watch. It knows all objects, and works for those deployments that it is
told to take. What to do about an object is the reconcilers' business, and what waits for what, the gate's. It knows
which kind says how to connect, and no other name.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

import structlog

from coder_enterprise.controller import metrics
from coder_enterprise.controller.admission import Admission
from coder_enterprise.controller.claims import Claims
from coder_enterprise.controller.cluster import Cluster
from coder_enterprise.controller.connections import Connections
from coder_enterprise.controller.deployments import DeploymentReconciler
from coder_enterprise.controller.events import Recorder
from coder_enterprise.controller.gate import SICK, Gate, own_lane
from coder_enterprise.controller.hosts import AllowedHosts
from coder_enterprise.controller.keepsakes import Keepsakes
from coder_enterprise.controller.kubernetes import KubernetesClient, KubernetesError
from coder_enterprise.controller.leases import LeadershipLost
from coder_enterprise.controller.limits import MAX_DELAY, MAX_SLOW_DELAY, Backoff
from coder_enterprise.controller.managed import PENDING, ManagedReconciler
from coder_enterprise.controller.namespaces import Namespaces
from coder_enterprise.controller.picture import Picture
from coder_enterprise.controller.queue import WORKERS, Item, Priority, Queue
from coder_enterprise.controller.result import Again, Result
from coder_enterprise.controller.store import Store
from coder_enterprise.controller.watch import Watch
from coder_enterprise.controller.writer import Writer
from coder_enterprise.kinds.base import ConnectionKind, ManagedKind
from coder_enterprise.kinds.crd import status_schema
from coder_enterprise.kinds.reasons import Reason
from coder_enterprise.kinds.resource import CLAIM, Key, Resource

SWEEP_INTERVAL: Final = 600.0
COUNT_DELAY: Final = 2.0
PEOPLE_DELAY: Final = 1.0
"""In seconds, as those around it: people who come together are added together."""
DRAIN_TIMEOUT: Final = 10.0
STUCK_AFTER: Final = 600.0
"""Seconds: no reconcile takes that long, each of its requests being limited."""

log = structlog.get_logger(__name__)


class Shares(Protocol):
    """Which deployments this replica works for; `controller.shards`."""

    def check(self, deployment: Key) -> None:
        """The fence: raises `LeadershipLost` unless this replica works for it."""

    def wake(self) -> None:
        """There are other deployments than before."""


class Engine:
    """Everything between the watch and the reconcilers, of one replica."""

    def __init__(
        self,
        client: KubernetesClient,
        shares: Shares,
        claims: Claims,
        connection_kind: ConnectionKind[Any],
        managed_kinds: Sequence[ManagedKind[Any, Any]],
        namespaces: Sequence[str] = (),
        allowed_hosts: Sequence[str] = (),
    ) -> None:
        self._client = client
        self._connection_kind = connection_kind
        self._kinds = {kind.names.kind: kind for kind in managed_kinds}
        names = [connection_kind.names, *(kind.names for kind in managed_kinds)]
        self._kind_of = {name.plural: name.kind for name in names}
        self._shares = shares
        self.held: set[Key] = set()
        """The deployments that it works for."""
        self._store = Store(self._terms, self._on_store)
        self.missed: Callable[[str], None] = lambda _: None
        """Told the plural of a kind whose watch did not tell of a change."""
        self._picture = Picture(client, self._store, self._kind_of, namespaces, lambda plural: self.missed(plural))
        self._queue = Queue()
        self._backoff = Backoff()
        self._gate = Gate(self._queue, self._store, self.held, self._add)
        schemas = {kind.names.kind: status_schema(kind.crd) for kind in managed_kinds}
        schemas[connection_kind.names.kind] = status_schema(connection_kind.crd)
        writer = Writer(client, self._store, {name.kind: name.plural for name in names}, self._fence, schemas)
        keepsakes = Keepsakes(self._store, writer, self._deployment_of)
        self._connections = Connections(Cluster(client, self._store, self._fence, keepsakes))
        self._recorder = Recorder(client)
        self._managed = ManagedReconciler(
            managed_kinds,
            self._store,
            Admission(connection_kind, self._store, self._connections, Namespaces(client)),
            claims,
            keepsakes,
            writer,
            self._recorder,
            ask=self._ask,
            people_came=self._people_came,
        )
        self._deployments = DeploymentReconciler(
            connection_kind,
            client,
            self._store,
            self._connections,
            writer,
            self._recorder,
            self._fence,
            self._gate,
            AllowedHosts(allowed_hosts),
        )
        self.deployments: set[Key] = set()
        """All that exist or are referred to, whoever works for them."""
        self.listed = False
        """The store holds everything, but for kinds that are absent."""

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
            asyncio.create_task(self._picture.sweep(), name="compare"),
            asyncio.create_task(self._recorder.run(), name="events"),
            *(asyncio.create_task(self._work(), name=f"worker-{number}") for number in range(WORKERS)),
        ]

    async def drain(self) -> None:
        """Let what is being worked on finish."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_TIMEOUT):
                await self._queue.idle()
                await self._recorder.drain()

    async def disconnect(self) -> None:
        await self._connections.close()

    # Whom it works for

    def take(self, deployment: Key) -> None:
        """Reconcile it and all objects that refer to it, from now on."""
        self.held.add(deployment)
        resource = self._store.get(deployment)
        if resource is not None:
            self._begin(resource)
        for item in self._gate.objects(deployment):
            self._add(item, Priority.DELETION if item.deleting else Priority.RESYNC)

    def leave(self, deployment: Key) -> None:
        """Begin nothing more for it; what is being done is finished, or fails at the fence."""
        self.held.discard(deployment)
        self._queue.release(deployment)
        for key in (deployment, *self._store.find(("deployment", deployment))):
            self._queue.forget(key)
            self._backoff.reset(key)

    def is_idle(self, deployment: Key) -> bool:
        return not self._queue.runs(deployment, deployment)

    def measure(self) -> None:
        """Bring the metrics up to date that only count what there is."""
        counts: Counter[tuple[str, str, str]] = Counter()
        for resource in self._store:
            if self._deployment_of(resource) in self.held:
                ready = resource.condition("Ready") or {}
                counts[resource.key.kind, ready.get("status", "Unknown"), ready.get("reason", Reason.PENDING)] += 1
        metrics.count_objects(counts)
        metrics.queue_depth.set(len(self._queue))
        metrics.queue_oldest_seconds.set(self._queue.oldest)
        metrics.reconcile_oldest_seconds.set(self._queue.longest_running)
        metrics.shards.set(len(self.deployments))
        for connection in self._connections:
            if not connection.deleted:
                metrics.circuit_open.labels(metrics.label(connection.key)).set(not connection.usable)

    async def forget(self, deployment: Key) -> None:
        """It was left, and is idle: close its connection."""
        self._gate.forget(deployment)
        await self._connections.forget(deployment)

    def _begin(self, deployment: Resource) -> None:
        """Its objects wait until it has been asked."""
        self._queue.hold(deployment.key)
        self._connections.ensure(deployment.key)
        self._add(deployment, Priority.USER)

    def _add(self, resource: Resource, priority: Priority, delay: float = 0.0) -> None:
        """Into the queue, if it is ours to work on."""
        if self._deployment_of(resource) in self.held:
            self._queue.add(resource.key, self._lane(resource, priority), priority, delay)

    def _fence(self, resource: Resource) -> None:
        """In front of each write, to Kubernetes and to Coder. Raises `LeadershipLost`."""
        self._shares.check(self._deployment_of(resource))

    # What changes

    def _terms(self, resource: Resource) -> Iterator[tuple[Any, ...]]:
        """Under what the store files an object: what it refers to, what it claims, what it holds."""
        key = resource.key
        if self._is_deployment(key):
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
        """Itself, or the one that it refers to."""
        if self._is_deployment(resource.key):
            return resource.key
        return Key(self._connection_kind.names.kind, *resource.deployment)

    def _is_deployment(self, key: Key) -> bool:
        return key.kind == self._connection_kind.names.kind

    def _lane(self, resource: Resource, priority: Priority) -> Hashable:
        """Objects of one deployment share a lane; each deployment is asked in its own, which is never held. Those that
        are out share one, unless a person waits for the answer."""
        if not self._is_deployment(resource.key):
            return self._deployment_of(resource)
        connection = self._connections.get(resource.key)
        out = connection is not None and not connection.probing and not connection.usable
        return SICK if out and priority is not Priority.USER else own_lane(resource.key)

    def on_event(self, plural: str, type_: str | None, body: Mapping[str, Any]) -> None:
        """What the watch saw; `type_` is None for what a list holds."""
        if plural == "secrets":
            self._on_secret(body)
            return
        resource = Resource.from_body(self._kind_of[plural], body)
        if type_ == "DELETED":
            if self._is_deployment(resource.key):
                self._store.put(resource)  # the last version says whom it allowed, and may not have been seen
            self._store.remove(resource.key, resource.uid)
        else:
            self._store.put(resource)

    def _on_store(self, known: Resource | None, resource: Resource | None) -> None:
        """Each change of the store, by the watch or by an answer to our own write."""
        if resource is None:
            if known is not None:
                self._on_gone(known)
                self._note(self._deployment_of(known))
        elif self.listed:
            self._on_change(known, resource)
        if resource is not None and known is None:
            self._note(self._deployment_of(resource))

    def _note(self, deployment: Key) -> None:
        """Which deployments there are, with those that objects only refer to."""
        there = self._store.get(deployment) is not None or self._store.has(("deployment", deployment))
        if there is (deployment in self.deployments):
            return
        (self.deployments.add if there else self.deployments.discard)(deployment)
        if self.listed:
            self._shares.wake()

    def _on_change(self, known: Resource | None, resource: Resource) -> None:
        is_deployment = self._is_deployment(resource.key)
        if known is None and is_deployment and resource.key in self.held:
            self._begin(resource)
        if known is None or _asks_for_work(known, resource):
            self._backoff.reset(resource.key)
            self._add(resource, Priority.DELETION if resource.deleting else Priority.USER)
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
        if self._is_deployment(key):
            if key in self.held:
                self._connections.detach(resource)
                metrics.deployment_figures(key, {})
                self._gate.open(key, changed=True)
        else:
            self._managed.forget(resource)
            self._wake_rivals(resource)
            self._wake_referrers(resource)
            self._count(resource)

    def _on_secret(self, body: Mapping[str, Any]) -> None:
        meta = body["metadata"]
        self._wake(("secret", meta["namespace"], meta["name"]), Priority.USER)

    def _ask(self, deployment: Key) -> None:
        """Have a deployment say anew how it is."""
        if deployment in self.held:
            self._queue.add(deployment, own_lane(deployment), Priority.USER)

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
                self._add(resource, priority, delay)

    def _wake_rivals(self, resource: Resource) -> None:
        """Who lost a conflict against `resource` may win now."""
        for term in self._terms(resource):
            if term[0] in {"name", "id"}:
                self._wake(term, Priority.RETRY, but=resource.key)

    def _count(self, resource: Resource) -> None:
        """The deployment counts its objects; a burst is counted once."""
        deployment = self._store.get(self._deployment_of(resource))
        if deployment is not None:
            self._add(deployment, Priority.RESYNC, delay=COUNT_DELAY)

    # Work

    async def _work(self) -> None:
        while True:
            item = await self._queue.get()
            try:
                await self._visit(item)
            finally:
                self._queue.done(item.key)

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
            if self._is_deployment(item.key):
                return await self._deployments.reconcile(resource, ask=item.priority is not Priority.RESYNC)
            return await self._managed.reconcile(resource)
        except LeadershipLost as error:
            # Whoever works for it now sees to it.
            log.info("left to another replica", object=str(item.key), error=str(error))
            return Result(label="lost")
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
            delay = self._gate.retry_in(self._deployment_of(resource), delay)
        priority = Priority.DELETION if resource.deleting else Priority.RETRY
        self._add(resource, priority, max(0.01, delay))

    # The whole picture

    async def load(self) -> None:
        """Fill the store before anything is decided. Raises `KubernetesError`; it may be called again then."""
        await self._picture.load()
        self.listed = True
        log.info("listed", objects=len(self._store))
        self._shares.wake()

    async def look(self, watch: Watch) -> None:
        """Before each beginning of a watch: raises `KubernetesError` unless its kind can be listed."""
        await self._client.look(watch.collection, watch.namespace, watch.selector)
        await self._picture.look(watch.collection.plural)

    async def _sweep(self) -> None:
        """Forget connections that nobody needs any more."""
        while True:
            await asyncio.sleep(SWEEP_INTERVAL)
            await self._forget_connections()

    async def sweep_once(self) -> None:
        """Find what the watch did not tell, and forget what nobody needs."""
        for plural in self._kind_of:
            await self._picture.compare(plural)
        await self._forget_connections()

    async def _forget_connections(self) -> None:
        for connection in self._connections:
            if connection.deleted and not self._store.find(("deployment", connection.key)):
                await self._connections.forget(connection.key)


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
