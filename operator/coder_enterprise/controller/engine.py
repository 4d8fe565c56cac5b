"""The operator at work: puts its parts together, and passes on what changes.

Made by the manager, which feeds it from the watch. It knows all objects, and works for those deployments that
`controller.shards` tells it to take. What follows from a change, `controller.wakes` decides; what to do about an
object, the reconcilers; what waits for what, the gate.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.paths import SECRETS
from coder_enterprise.controller import metrics
from coder_enterprise.controller.admission import Admission
from coder_enterprise.controller.agenda import Agenda
from coder_enterprise.controller.beside import Beside
from coder_enterprise.controller.claims import Claims
from coder_enterprise.controller.connections import Connections
from coder_enterprise.controller.culprits import Culprits
from coder_enterprise.controller.deployments import DeploymentReconciler
from coder_enterprise.controller.events import Recorder
from coder_enterprise.controller.gate import Gate
from coder_enterprise.controller.history import History
from coder_enterprise.controller.hosts import AllowedHosts
from coder_enterprise.controller.index import Index, of_deployment
from coder_enterprise.controller.inventory import Inventory
from coder_enterprise.controller.journal import Entry, Journal
from coder_enterprise.controller.keepsakes import Keepsakes
from coder_enterprise.controller.kept_secrets import KeptSecrets
from coder_enterprise.controller.managed import ManagedReconciler
from coder_enterprise.controller.namespaces import Namespaces
from coder_enterprise.controller.notes import Notes
from coder_enterprise.controller.queue import Priority, Queue
from coder_enterprise.controller.store import Store
from coder_enterprise.controller.tally import Tally
from coder_enterprise.controller.telling import Teller
from coder_enterprise.controller.view import View
from coder_enterprise.controller.wakes import lets_go, secret_changed, wakes
from coder_enterprise.controller.watch import Watch
from coder_enterprise.controller.workers import Workers
from coder_enterprise.controller.writer import Writer
from coder_enterprise.kinds.machinery.base import ManagedKind
from coder_enterprise.kinds.machinery.connection import ConnectionKind
from coder_enterprise.kinds.machinery.crd import status_schema
from coder_enterprise.kinds.machinery.resource import Key, Resource

SWEEP_INTERVAL: Final = 600.0
DRAIN_TIMEOUT: Final = 10.0
"""Seconds, as that before."""


class Shares(Protocol):
    """Which deployments this replica works for; `controller.shards`."""

    def check(self, deployment: Key) -> None:
        """The fence: raises `LeadershipLost` unless this replica works for it."""

    def live(self) -> None:
        """Raises `LeadershipLost` unless this replica is one of them."""

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
        kinds: list[ConnectionKind[Any] | ManagedKind[Any, Any]] = [connection_kind, *managed_kinds]
        self._kind_of = {kind.names.plural: kind.names.kind for kind in kinds}
        self._client = client
        self._shares = shares
        self.deployments: set[Key] = set()
        """All that exist or are referred to, whoever works for them."""
        self.missed: Callable[[str], None] = lambda _: None
        """Told the plural of a kind whose watch did not tell of a change."""
        index = self._index = Index(connection_kind, managed_kinds)
        store = self._store = Store(index.terms, self._on_store)
        self._tally = Tally(index.deployment_of)
        self._inventory = Inventory(client, store, self._kind_of, namespaces, lambda plural: self.missed(plural))
        self._recorder = Recorder(client, shares.live)
        plurals = {kind.names.kind: kind.names.plural for kind in kinds}
        schemas = {kind.names.kind: status_schema(kind.crd) for kind in kinds}
        writer = Writer(client, store, plurals, self._fence, schemas)
        teller = Teller(writer, self._recorder)
        keepsakes = Keepsakes(store, writer, index.deployment_of)
        self._kept = KeptSecrets(client)
        self._connections = Connections(Beside(client, store, self._fence, keepsakes, self._kept))
        journal = Journal()
        self._history = History()
        self._culprits = Culprits(self._connections, journal)
        notes = Notes([kind.names.kind for kind in managed_kinds], store, index, journal, self._culprits)
        journal.subscribe(self._on_entry)
        names = [kind.names for kind in kinds]
        queue = self._queue = Queue()
        self.view = View(
            names,
            store,
            index,
            self._connections,
            queue,
            journal,
            self._history,
            lambda: self.listed,
            lambda deployment: deployment in self._agenda.taken,
            self._recorder.about,
        )
        agenda = self._agenda = Agenda(self._queue, store, index, self._connections)
        self._gate = Gate(self._queue, store, agenda)
        admission = Admission(connection_kind, store, index, self._connections, Namespaces(client))
        self._managed = ManagedReconciler(
            managed_kinds, store, admission, claims, keepsakes, writer, teller, notes, agenda
        )
        deployments = DeploymentReconciler(
            connection_kind,
            client,
            store,
            self._connections,
            teller,
            notes,
            self._history,
            self._fence,
            self._gate,
            AllowedHosts(allowed_hosts),
            self._tally,
        )
        self._workers = Workers(self._queue, store, index, agenda, self._gate, deployments, self._managed)

    @property
    def plurals(self) -> list[str]:
        """What must be watched."""
        return list(self._kind_of)

    @property
    def moves(self) -> bool:
        """No worker is stuck."""
        return self._workers.moves

    @property
    def taken(self) -> frozenset[Key]:
        """Those that this replica works for."""
        return frozenset(self._agenda.taken)

    @property
    def listed(self) -> bool:
        """The store holds everything, but for kinds that are absent."""
        return self._inventory.complete

    def start(self) -> list[asyncio.Task[None]]:
        """Its tasks: none of them ends by itself, but by failing. The caller cancels them."""
        return [
            asyncio.create_task(self._sweep(), name="sweep"),
            asyncio.create_task(self._inventory.sweep(), name="compare"),
            asyncio.create_task(self._recorder.run(), name="events"),
            asyncio.create_task(self._culprits.run(), name="culprits"),
            *self._workers.start(),
        ]

    async def drain(self) -> None:
        """Let what is being worked on finish."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_TIMEOUT):
                await self._queue.idle()
                await self._recorder.drain()

    async def disconnect(self) -> None:
        await self._connections.close()

    def _fence(self, resource: Resource) -> None:
        """In front of each write, to Kubernetes and to Coder. Raises `LeadershipLost`."""
        self._shares.check(self._index.deployment_of(resource))

    # Whom it works for

    def take(self, deployment: Key) -> None:
        """Reconcile it and all objects that refer to it, from now on."""
        self._agenda.taken.add(deployment)
        resource = self._store.get(deployment)
        if resource is not None:
            self._begin(resource)
        self._gate.visit_all(deployment)

    def leave(self, deployment: Key) -> None:
        """Begin nothing more for it; what is being done is finished, or fails at the fence."""
        self._agenda.leave(deployment)

    def is_idle(self, deployment: Key) -> bool:
        return self._agenda.is_idle(deployment)

    async def forget(self, deployment: Key) -> None:
        """It was left, and is idle: close its connection."""
        self._gate.forget(deployment)
        self._history.forget(deployment)
        await self._connections.forget(deployment)

    def _begin(self, deployment: Resource) -> None:
        """Its objects wait until it has been asked."""
        self._queue.close(deployment.key)
        self._connections.ensure(deployment.key)
        self._agenda.add(deployment, Priority.USER)

    # What changes

    def on_event(self, plural: str, type_: str | None, body: Mapping[str, Any]) -> None:
        """What the watch saw; `type_` is None for what a list holds."""
        if plural == SECRETS.plural:
            self._kept.changed(body["metadata"]["namespace"], body["metadata"]["name"])
            self._agenda.wake([secret_changed(body)])
            return
        if type_ != "DELETED" and self.is_known(plural, body):
            return
        resource = Resource.from_body(self._kind_of[plural], body)
        if type_ == "DELETED":
            if self._index.is_deployment(resource.key):
                self._store.put(resource)  # the last version says whom it allowed, and may not have been seen
            self._store.remove(resource.key, resource.uid)
        else:
            self._store.put(resource)

    def _on_entry(self, entry: Entry) -> None:
        """What is new in the journal comes with a change of the object, but for whose drift it was."""
        if entry.who:
            self.view.tell(entry.key)

    def is_known(self, plural: str, body: Mapping[str, Any]) -> bool:
        """Whether the store has that version of an object or a newer one: most of what a watch tells are our own
        writes, whose answers were first."""
        if plural not in self._kind_of:
            return False
        meta = body["metadata"]
        known = self._store.get(Key(self._kind_of[plural], meta["namespace"], meta["name"]))
        if known is None or known.uid != meta["uid"]:
            return False
        return int(known.resource_version) >= int(meta["resourceVersion"])

    def _on_store(self, before: Resource | None, after: Resource | None) -> None:
        """Each change of the store, by the watch or by an answer to our own write."""
        self._tally.note(before, after)
        if before is not None and after is None:
            self._on_gone(before)
        if self.listed and after is not None and self._is_new_deployment(before, after):
            self._begin(after)
        if self.listed or after is None:
            self._agenda.wake(wakes(self._index, before, after))
        if before is not None and lets_go(before, after):
            self._agenda.wake(self._managed.freed_by(before.key))
        changed = after or before
        if changed is not None and (before is None or after is None):
            self._note(self._index.deployment_of(changed))
        if changed is not None:
            self.view.tell(changed.key)

    def _is_new_deployment(self, before: Resource | None, after: Resource) -> bool:
        return before is None and self._index.is_deployment(after.key) and after.key in self._agenda.taken

    def _on_gone(self, resource: Resource) -> None:
        key = resource.key
        self._agenda.forget(key)
        if not self._index.is_deployment(key):
            self._managed.forget(resource)
        elif key in self._agenda.taken:
            self._connections.detach(resource)
            self._history.forget(key)
            metrics.deployment_figures(key, {})
            self._gate.open(key, changed=True)

    def _note(self, deployment: Key) -> None:
        """Which deployments there are, with those that objects only refer to."""
        there = self._store.get(deployment) is not None or self._store.has(of_deployment(deployment))
        if there is (deployment in self.deployments):
            return
        (self.deployments.add if there else self.deployments.discard)(deployment)
        if self.listed:
            self._shares.wake()

    # What there is

    async def load(self) -> None:
        """Fill the store before anything is decided. Raises `KubernetesError`; it may be called again then."""
        await self._inventory.load()
        self._shares.wake()

    async def look(self, watch: Watch, heard: Callable[[], None]) -> None:
        """Before each beginning of a watch: raises `KubernetesError` unless its kind can be listed."""
        await self._client.look(watch.collection, watch.namespace, watch.selector)
        if watch.collection == SECRETS:
            self._kept.forget()
        await self._inventory.look(watch.collection.plural, heard)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_INTERVAL)
            await self._connections.sweep(self._is_needed)
            self.view.sweep()

    async def sweep_once(self) -> None:
        """Find what the watch did not tell, and forget what nobody needs."""
        for plural in self._kind_of:
            await self._inventory.compare(plural)
        await self._connections.sweep(self._is_needed)

    def _is_needed(self, deployment: Key) -> bool:
        """Objects refer to it."""
        return self._store.has(of_deployment(deployment))

    def measure(self) -> None:
        """Bring the metrics up to date that only count what there is."""
        metrics.count_objects(self._tally.of(self._agenda.taken))
        metrics.shards.set(len(self.deployments))
        self._workers.measure()
        self._connections.measure()
