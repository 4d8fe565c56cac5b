"""Who wakes whom: from how an object was and how it is now to the visits that follow.

Asked by the engine for each change of the store, and for what comes from elsewhere: a Secret, or people who were made
in Coder. Pure functions; the whole table is here. `controller.agenda` finds who is meant, and puts them into the queue.

    what changes                                    who is visited
    an object is new, or asks for work              itself
    its spec is another, or it is gone              who means the same by name or id, and may win now
    the same, or another spec was applied           who lost a conflict against it, as this process remembers
    it is new, Ready or not any more, or gone       its CoderDeployment, which counts its objects
    the same, or its external id is another         who refers to it
    a Secret                                        who needs it
    people were made or let in                      who waits for people, in the same CoderDeployment

Who refers to an object or needs a Secret is known by spec: one that is being visited is visited again. Who waits for
people is known by status, which is written after the look; `controller.managed` sees to those who came in between.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from coder_enterprise.controller.index import Index, Term, referring_to, using_secret, waiting_in
from coder_enterprise.controller.queue import Priority
from coder_enterprise.kinds.machinery.resource import CLAIM, FINALIZER, Key, Resource

COUNT_DELAY: Final = 2.0
"""Seconds, as those around it: a burst of changes is counted once."""
PEOPLE_DELAY: Final = 1.0
"""People who come together are added together."""


@dataclass(frozen=True, slots=True)
class Wake:
    """One object, or all that are filed under a term, to be visited."""

    whom: Key | Term
    priority: Priority
    delay: float = 0.0
    """Seconds."""
    but: Key | None = None
    """Who is left out."""
    afresh: bool = False
    """What failed before does not make it wait any longer."""


def wakes(index: Index, before: Resource | None, after: Resource | None) -> Iterator[Wake]:
    """The visits that follow when an object was as `before` (None: it is new) and is as `after` (None: it is gone)."""
    if after is not None and _asks_for_work(before, after):
        yield Wake(after.key, Priority.DELETION if after.deleting else Priority.USER, afresh=True)
    if before is not None and (after is None or before.spec != after.spec):
        for term in index.contested(before):
            yield Wake(term, Priority.RETRY, but=before.key)
    changed = after or before
    if changed is None or index.is_deployment(changed.key):
        return
    stood, stands = _standing(before), _standing(after)
    if stood != stands:
        yield Wake(index.deployment_of(changed), Priority.RESYNC, COUNT_DELAY)
    if (stood, before and before.external_id) != (stands, after and after.external_id):
        yield Wake(referring_to(changed.key), Priority.RETRY)


def lets_go(before: Resource, after: Resource | None) -> bool:
    """Whether who lost a conflict against it may win now."""
    return after is None or before.spec != after.spec or _applied(before) != _applied(after)


def secret_changed(body: Mapping[str, Any]) -> Wake:
    return Wake(using_secret(body["metadata"]["namespace"], body["metadata"]["name"]), Priority.USER)


def people_came(deployment: Key) -> Wake:
    return Wake(waiting_in(deployment), Priority.RETRY, PEOPLE_DELAY)


def _standing(resource: Resource | None) -> bool | None:
    """Whether it is Ready; None when it is not there."""
    return None if resource is None else resource.ready


def _applied(resource: Resource) -> object:
    return resource.status.get("observedGeneration")


def _asks_for_work(before: Resource | None, after: Resource) -> bool:
    """Whether it is new, or more has changed than what the operator itself writes."""
    return (
        before is None
        or before.generation != after.generation
        or before.deleting != after.deleting
        or _requests(before) != _requests(after)
        or _lost_finalizer(before, after)
        or (before.status != after.status and after.status.get("observedGeneration") == -1)
    )


def _lost_finalizer(before: Resource, after: Resource) -> bool:
    """Somebody has taken it, and there is something in Coder that would stay when the object goes."""
    taken = FINALIZER in before.finalizers and FINALIZER not in after.finalizers
    return taken and not after.deleting and after.external_id is not None


def _requests(resource: Resource) -> dict[str, str]:
    """What users ask for by annotation."""
    return {name: value for name, value in resource.annotations.items() if name != CLAIM}
