"""The workers: take what is due out of the queue, have it reconciled, and see when it is due again.

Started by the engine. What a visit does is the reconcilers' business; no failure of one ends a worker.
"""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Final

import structlog

from coder_enterprise.cluster.errors import KubernetesError
from coder_enterprise.controller import metrics
from coder_enterprise.controller.agenda import Agenda
from coder_enterprise.controller.deployments import DeploymentReconciler
from coder_enterprise.controller.gate import Gate
from coder_enterprise.controller.index import Index
from coder_enterprise.controller.leases import LeadershipLost
from coder_enterprise.controller.managed import ManagedReconciler
from coder_enterprise.controller.queue import WORKERS, Item, Priority, Queue
from coder_enterprise.controller.result import Again, Result
from coder_enterprise.controller.store import Store
from coder_enterprise.kinds.machinery.resource import Resource

STUCK_AFTER: Final = 600.0
"""Seconds: no reconcile takes that long, each of its requests being limited."""

log = structlog.get_logger(__name__)


class Workers:
    def __init__(
        self,
        queue: Queue,
        store: Store,
        index: Index,
        agenda: Agenda,
        gate: Gate,
        deployments: DeploymentReconciler,
        managed: ManagedReconciler,
    ) -> None:
        self._queue = queue
        self._store = store
        self._index = index
        self._agenda = agenda
        self._gate = gate
        self._deployments = deployments
        self._managed = managed

    def start(self) -> list[asyncio.Task[None]]:
        """Their tasks: none of them ends by itself. The caller cancels them."""
        return [asyncio.create_task(self._work(), name=f"worker-{number}") for number in range(WORKERS)]

    @property
    def moves(self) -> bool:
        """No worker is stuck."""
        return self._queue.longest_running < STUCK_AFTER

    def measure(self) -> None:
        metrics.queue_depth.set(len(self._queue))
        metrics.queue_oldest_seconds.set(self._queue.oldest)
        metrics.reconcile_oldest_seconds.set(self._queue.longest_running)

    async def _work(self) -> None:
        while True:
            item = await self._queue.get()
            try:
                await self._visit(item)
            finally:
                self._queue.done(item.key)
            # A visit at rest waits for nothing: a resync of a hundred thousand would be one turn of the event loop, and
            # take longer than a Lease may go without being renewed.
            await asyncio.sleep(0)

    async def _visit(self, item: Item) -> None:
        resource = self._store.get(item.key)
        if resource is None:
            return
        started = perf_counter()
        result = await self._reconcile(resource, item)
        metrics.reconciled(item.key.kind, result.label, perf_counter() - started)
        current = self._store.get(item.key)
        if current is not None and current.uid == resource.uid:
            self._schedule(current, result)

    async def _reconcile(self, resource: Resource, item: Item) -> Result:
        try:
            if self._index.is_deployment(item.key):
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
        if result.again in {Again.NEVER, Again.AFTER}:
            self._agenda.succeeded(resource.key)
        if result.again is Again.NEVER:
            return
        delay = result.delay
        if result.again is not Again.AFTER:
            delay = self._agenda.delay(resource.key, result.again)
            delay = self._gate.retry_in(self._index.deployment_of(resource), delay)
        priority = Priority.DELETION if resource.deleting else Priority.RETRY
        self._agenda.add(resource, priority, max(0.01, delay))
