"""What is to be visited: puts objects into the queue, those that this replica works for, each into its lane.

Fed by the engine with what follows from changes, by the gate with what a deployment's state asks for, and by the
workers with what is to be tried again. When a key has its turn is the queue's business.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Final

from coder_enterprise.controller.connections import Connections
from coder_enterprise.controller.index import Index, Term, of_deployment
from coder_enterprise.controller.limits import MAX_DELAY, MAX_SLOW_DELAY, Backoff
from coder_enterprise.controller.queue import Priority, Queue
from coder_enterprise.controller.result import Again
from coder_enterprise.controller.store import Store
from coder_enterprise.controller.wakes import Wake
from coder_enterprise.kinds.machinery.resource import Key, Resource

SICK: Final = "sick"
"""The lane of all deployments that did not answer when they were asked last: together they hold up no other one."""


class Agenda:
    def __init__(self, queue: Queue, store: Store, index: Index, connections: Connections) -> None:
        self._queue = queue
        self._store = store
        self._index = index
        self._connections = connections
        self._backoff = Backoff()
        self.taken: set[Key] = set()
        """The deployments that this replica works for."""

    def add(self, resource: Resource, priority: Priority, delay: float = 0.0) -> None:
        """In `delay` seconds, if it is ours to work on."""
        if self._index.deployment_of(resource) in self.taken:
            self._queue.add(resource.key, self._lane(resource, priority), priority, delay)

    def add_objects(self, deployment: Key, objects: Iterable[Resource]) -> None:
        """Objects of that deployment, at its resync or because it has changed, if it is ours to work on: there may be a
        hundred thousand, and nothing else happens meanwhile."""
        if deployment not in self.taken:
            return
        for resource in objects:
            self._queue.add(resource.key, deployment, Priority.DELETION if resource.deleting else Priority.RESYNC)

    def ask(self, deployment: Key, delay: float = 0.0) -> None:
        """Have a deployment say in `delay` seconds how it is."""
        if deployment in self.taken and self._store.get(deployment) is not None:
            self._queue.add(deployment, _own_lane(deployment), Priority.USER, delay)

    def wake(self, wakes: Iterable[Wake]) -> None:
        for wake in wakes:
            for key in self._store.find(wake.whom) if isinstance(wake.whom, Term) else (wake.whom,):
                resource = self._store.get(key)
                if resource is None or key == wake.but:
                    continue
                if wake.afresh:
                    self._backoff.reset(key)
                self.add(resource, wake.priority, wake.delay)

    def delay(self, key: Key, again: Again) -> float:
        """Seconds until it is tried again after another failure."""
        return self._backoff.next(key, MAX_SLOW_DELAY if again is Again.SLOWLY else MAX_DELAY)

    def succeeded(self, key: Key) -> None:
        """What failed before does not count any more."""
        self._backoff.reset(key)

    def forget(self, key: Key) -> None:
        """It is gone, or another replica's."""
        self._queue.forget(key)
        self._backoff.reset(key)

    def leave(self, deployment: Key) -> None:
        """Begin nothing more for it; what is being done is finished."""
        self.taken.discard(deployment)
        self._queue.open(deployment)
        for key in (deployment, *self._store.find(of_deployment(deployment))):
            self.forget(key)

    def is_idle(self, deployment: Key) -> bool:
        """Nothing is being done for it."""
        return not self._queue.runs(deployment, deployment)

    def _lane(self, resource: Resource, priority: Priority) -> Hashable:
        """Objects of one deployment share a lane; each deployment is asked in its own, which is never closed. Those
        that are out share one, unless a person waits for the answer."""
        if not self._index.is_deployment(resource.key):
            return self._index.deployment_of(resource)
        connection = self._connections.get(resource.key)
        out = connection is not None and not connection.probing and not connection.usable
        return SICK if out and priority is not Priority.USER else _own_lane(resource.key)


def _own_lane(deployment: Key) -> Hashable:
    """The lane in which a deployment is asked how it is; that of its objects has its key as its name."""
    return (deployment,)
