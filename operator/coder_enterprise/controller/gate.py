"""Between each deployment and the objects that refer to it: open, held or paused; and when it is asked how it is.

The deployment reconciler opens and closes it by what the deployment itself answered. What requests for objects answer
only raises doubts, which have the deployment asked: nothing is held before it has failed to answer, because one object
that always fails says nothing about the others.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable
from typing import Final

from coder_enterprise.client import errors
from coder_enterprise.client.clock import now
from coder_enterprise.controller.limits import TokenBucket
from coder_enterprise.controller.queue import Priority, Queue
from coder_enterprise.controller.store import Store
from coder_enterprise.kinds.resource import Key, Resource

DOUBTFUL_AFTER: Final = 3
"""Failures in a row."""
MAX_COOL_DOWN: Final = 60.0
DOUBT_MEMORY: Final = 120.0
"""Seconds within which a doubt that rises again is asked about later than the one before."""
RETRIES_PER_SECOND: Final = 2.0
RETRIES_AT_ONCE: Final = 100
"""How many objects of a deployment may fail before their retries are spread."""


SICK: Final = "sick"
"""The lane of all deployments that did not answer when they were asked last: together they hold up no other one."""


def own_lane(deployment: Key) -> Hashable:
    """The lane in which a deployment is asked how it is; that of its objects has its key as its name."""
    return (deployment,)


class Doubts:
    """Whether requests for objects make it doubtful that their deployment answers. `settle` ends a doubt, and nothing
    else does: an answer to a request that was sent before proves nothing."""

    def __init__(self) -> None:
        self._failures = 0
        self._raised_at = float("-inf")
        self._delay = 0.0

    def failed(self, error: errors.CoderError) -> float | None:
        """When a doubt rises: in how many seconds the deployment is to be asked. That is at once the first time, and
        ever later if it answers well and its objects go on failing."""
        known = self._failures
        self._failures += DOUBTFUL_AFTER if isinstance(error, errors.Unauthorized) else 1
        if not known < DOUBTFUL_AFTER <= self._failures:
            return None
        again = now() - self._raised_at < DOUBT_MEMORY + self._delay
        self._delay = min(MAX_COOL_DOWN, max(1.0, self._delay * 2)) if again else 0.0
        self._raised_at = now()
        return self._delay

    def succeeded(self) -> None:
        """Failures are counted anew, while there is no doubt."""
        if self._failures < DOUBTFUL_AFTER:
            self._failures = 0

    def settle(self) -> None:
        """The deployment was asked, and answers."""
        self._failures = 0


class Gate:
    """Of all deployments; those in `held` are this replica's. `visit` puts an object into the queue."""

    def __init__(
        self, queue: Queue, store: Store, held: Container[Key], visit: Callable[[Resource, Priority], None]
    ) -> None:
        self._queue = queue
        self._store = store
        self._held = held
        self._visit = visit
        self._retries: dict[Key, TokenBucket] = {}

    def objects(self, deployment: Key) -> list[Resource]:
        """All that refer to it."""
        found = (self._store.get(key) for key in self._store.find(("deployment", deployment)))
        return [resource for resource in found if resource is not None]

    def open(self, deployment: Key, *, changed: bool, due: bool = False) -> None:
        """It can be used: let its objects pass, and visit all of them once when it has `changed`; when only its resync
        is `due`, those that have no interval of their own."""
        self._queue.release(deployment)
        for resource in self.objects(deployment) if changed or due else ():
            if changed or "resyncInterval" not in resource.spec:
                self._visit(resource, Priority.DELETION if resource.deleting else Priority.RESYNC)

    def close(self, deployment: Key, *, tell: bool) -> None:
        """It cannot: let its objects wait, and with `tell` have those say so that are not settled."""
        if deployment in self._held:
            self._queue.hold(deployment)
        for resource in self.objects(deployment) if tell else ():
            if not resource.settled:
                self._visit(resource, Priority.USER)

    def doubt(self, deployment: Key, delay: float) -> None:
        """Ask it in `delay` seconds; until it has answered, its objects go on."""
        if deployment in self._held and self._store.get(deployment) is not None:
            self._queue.add(deployment, own_lane(deployment), Priority.USER, delay)

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
