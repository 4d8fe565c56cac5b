"""What is noted of each visit that changed something: why it did, in the journal, and for those who find it in Coder.

Called by the reconcilers. It gathers the facts of which `kinds.machinery.causes` makes a cause; it decides nothing
about the visit, and asks nobody while one runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from coder_enterprise.controller.culprits import Culprits, Question
from coder_enterprise.controller.index import Index, with_id
from coder_enterprise.controller.journal import Journal
from coder_enterprise.controller.own_work import OwnWork
from coder_enterprise.controller.store import Store
from coder_enterprise.controller.visit import Visit
from coder_enterprise.kinds.machinery.base import ManagedKind, Observation
from coder_enterprise.kinds.machinery.causes import Cause, Circumstances, cause_of
from coder_enterprise.kinds.machinery.changes import Action, Change, named_by, paths_of
from coder_enterprise.kinds.machinery.resource import Key, Resource


@dataclass(frozen=True, slots=True)
class Found:
    """The changes of one visit that have one cause."""

    cause: Cause
    because: Key | None
    changes: list[Change]


class Notes:
    def __init__(self, kinds: Sequence[str], store: Store, index: Index, journal: Journal, culprits: Culprits) -> None:
        self._kinds = tuple(kinds)
        self._store = store
        self._index = index
        self._journal = journal
        self._culprits = culprits
        self._own = OwnWork()

    @property
    def moment(self) -> int:
        """For a visit, before its look."""
        return self._own.moment

    # What others find

    def begins(self, kind: ManagedKind[Any, Any], resource: Resource, changes: Sequence[Change]) -> None:
        """What is about to be done may be seen by others before it is done."""
        if resource.external_id is not None and kind.others_see & paths_of(changes):
            self._own.done(resource.external_id, resource.key)

    def compared(self, visit: Visit, resource: Resource) -> None:
        """The object is as it shall be."""
        self._own.compared(resource.uid, visit.moment)

    def gone(self, resource: Resource) -> None:
        """The object is gone, and with it mostly what it stood for."""
        if resource.external_id is not None:
            self._own.done(resource.external_id, resource.key)
        self._own.forget(resource.uid)

    def moved(self, deployment: Key) -> None:
        """It leads to another Coder than before."""
        self._own.done(deployment, deployment)

    # The journal

    def changed(
        self,
        visit: Visit,
        before: Resource,
        looked: Observation,
        now: Observation,
        changes: Sequence[Change],
        *,
        adopts: bool,
    ) -> list[Found]:
        """What was done, by why. `looked` is what was found, and `now` how it is; `adopts` says that it was there
        and not the object's own."""
        self._tell_others(visit.kind, before, now, changes)
        done = _carried_out(visit, now, changes, before)
        found = self._by_cause(visit.kind, before, looked, done, adopts=adopts)
        if adopts and not done:
            found = [Found(Cause.ADOPTION, None, [])]
        for item in found:
            self._write(before, now, item)
        return found

    def stopped(
        self,
        visit: Visit,
        before: Resource,
        looked: Observation,
        now: Observation | None,
        changes: Sequence[Change],
        why: str,
        *,
        adopts: bool,
    ) -> None:
        """The visit failed after it had changed something. `now` is how it is then, None where nobody knows."""
        done = [] if now is None else _done(visit, now, changes, before)
        if now is not None:
            self._tell_others(visit.kind, before, now, done)
        note = f"stopped on the way: {why}" if done else f"stopped on the way, and how far it came is not known: {why}"
        for item in self._by_cause(visit.kind, before, looked, done or changes, adopts=adopts):
            self._write(before, now or looked, item, note)

    def deleted(self, kind: ManagedKind[Any, Any], resource: Resource, done: str | None) -> None:
        """`done` says what was done in place of a deletion."""
        what = None if done else Change(Action.REMOVE, "spec", before=resource.external_id)
        self._journal.write(
            resource.key,
            self._index.deployment_of(resource),
            Cause.DELETION,
            [what] if what else [],
            note=done or "",
        )

    def stopped_deleting(self, resource: Resource, why: str) -> None:
        """The deletion failed after it had changed something."""
        deployment, note = self._index.deployment_of(resource), f"stopped on the way: {why}"
        self._journal.write(resource.key, deployment, Cause.DELETION, [], note=note)

    def _write(self, before: Resource, now: Observation, item: Found, note: str = "") -> None:
        deployment = self._index.deployment_of(before)
        entry = self._journal.write(before.key, deployment, item.cause, item.changes, because=item.because, note=note)
        if item.cause is Cause.DRIFT:
            ids = (before.external_id, now.external_id, *(change.subject for change in item.changes[:10]))
            self._culprits.ask(deployment, Question(entry.number, tuple(dict.fromkeys(filter(None, ids)))))

    def _tell_others(
        self, kind: ManagedKind[Any, Any], before: Resource, now: Observation, changes: Sequence[Change]
    ) -> None:
        """That it is another thing by now, or has another name."""
        made = before.external_id != now.external_id
        if made or kind.others_see & paths_of(changes):
            for item in filter(None, {before.external_id, now.external_id}):
                self._own.done(item, before.key)

    def _by_cause(
        self,
        kind: ManagedKind[Any, Any],
        before: Resource,
        looked: Observation,
        changes: Sequence[Change],
        *,
        adopts: bool,
    ) -> list[Found]:
        found: dict[tuple[Cause, Key | None], Found] = {}
        waits = kind.waits(before)
        for change in changes:
            because = self._origin(before, change) if before.external_id is not None else None
            cause = cause_of(Circumstances(change, before, adopts, looked.moved_on, waits, because))
            if cause not in {Cause.CONSEQUENCE, Cause.ARRIVAL}:
                because = None
            found.setdefault((cause, because), Found(cause, because, [])).changes.append(change)
        return list(found.values())

    def _origin(self, resource: Resource, change: Change) -> Key | None:
        """Of which other object a change may be the consequence."""
        if change.subject:
            key = self._own.since_compared(resource.uid, change.subject) or self._leaving(change.subject)
            if key is not None and key != resource.key:
                return key
        return self._own.since_compared(resource.uid, self._index.deployment_of(resource))

    def _leaving(self, external_id: str) -> Key | None:
        """The object that stands for it, when it is being deleted."""
        for kind in self._kinds:
            for key in self._store.find(with_id(kind, external_id)):
                resource = self._store.get(key)
                if resource is not None and resource.deleting:
                    return key
        return None


def _carried_out(visit: Visit, now: Observation, changes: Sequence[Change], before: Resource) -> list[Change]:
    """All of them, but for what a trouble has left."""
    return list(changes) if now.trouble is None else _done(visit, now, changes, before)


def _done(visit: Visit, now: Observation, changes: Sequence[Change], before: Resource) -> list[Change]:
    """Those that are not to be done any more."""
    left = visit.kind.plan(visit.spec, now, before.status)
    return [change for change in changes if not named_by([change], left)]
