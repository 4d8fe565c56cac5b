"""Between each deployment and the objects that refer to it: open, closed or paused; and when it is asked how it is.

The deployment reconciler opens and closes it by what the deployment itself answered. What requests for objects answer
only raises doubts (`controller.doubts`), which have the deployment asked; until it has failed to answer, nothing is
held up.
"""

from __future__ import annotations

from typing import Final

from coder_enterprise.controller.agenda import Agenda
from coder_enterprise.controller.index import of_deployment
from coder_enterprise.controller.limits import TokenBucket
from coder_enterprise.controller.queue import Priority, Queue
from coder_enterprise.controller.store import Store
from coder_enterprise.kinds.machinery.resource import Key, Resource

RETRIES_PER_SECOND: Final = 2.0
RETRIES_AT_ONCE: Final = 100
"""How many objects of a deployment may fail before their retries are spread."""


class Gate:
    """Of all deployments."""

    def __init__(self, queue: Queue, store: Store, agenda: Agenda) -> None:
        self._queue = queue
        self._store = store
        self._agenda = agenda
        self._retries: dict[Key, TokenBucket] = {}

    def _objects(self, deployment: Key) -> list[Resource]:
        """All that refer to it."""
        found = map(self._store.get, self._store.members(of_deployment(deployment)))
        return [resource for resource in found if resource is not None]

    def open(self, deployment: Key, *, changed: bool, due: bool = False) -> None:
        """It can be used: let its objects pass, and visit all of them once when it has `changed`; when only its resync
        is `due`, those that have no interval of their own."""
        self._queue.open(deployment)
        objects = self._objects(deployment) if changed or due else []
        self._agenda.add_objects(
            deployment, (resource for resource in objects if changed or "resyncInterval" not in resource.spec)
        )

    def is_behind(self, deployment: Key) -> bool:
        """Objects of it have not had their turn since the last resync."""
        return self._queue.resyncs(deployment)

    def visit_all(self, deployment: Key) -> None:
        """Those that may pass now at once, the others when it opens."""
        self._agenda.add_objects(deployment, self._objects(deployment))

    def close(self, deployment: Key, *, tell: bool) -> None:
        """It cannot: let its objects wait, and with `tell` have those say so that are not settled."""
        if deployment in self._agenda.taken:
            self._queue.close(deployment)
        for resource in self._objects(deployment) if tell else ():
            if not resource.settled:
                self._agenda.add(resource, Priority.USER)

    def doubt(self, deployment: Key, delay: float) -> None:
        """Ask it in `delay` seconds; until it has answered, its objects go on."""
        self._agenda.ask(deployment, delay)

    def pause(self, deployment: Key, seconds: float) -> None:
        """It asked for a pause: let its objects wait for that long, and have it say so."""
        self._queue.pause(deployment, seconds)
        self.doubt(deployment, 0.0)

    def retry_in(self, deployment: Key, delay: float) -> float:
        """When an object that failed is tried again: after `delay` seconds, or later when very many fail."""
        bucket = self._retries.setdefault(deployment, TokenBucket(RETRIES_PER_SECOND, RETRIES_AT_ONCE))
        return max(delay, bucket.reserve())

    def forget(self, deployment: Key) -> None:
        self._retries.pop(deployment, None)
