"""What people are told: status after each visit, and events for what is news in it.

Used by both reconcilers and by the deletion of objects, so that all that is said is said here. What an outcome is in
status, `controller.status` knows; how events are posted, `controller.events`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from coder_enterprise.controller import metrics
from coder_enterprise.controller.events import Recorder
from coder_enterprise.controller.notes import Found
from coder_enterprise.controller.status import Outcome, compose
from coder_enterprise.controller.writer import Writer
from coder_enterprise.kinds.machinery.base import DomainCondition, Progress
from coder_enterprise.kinds.machinery.causes import Cause
from coder_enterprise.kinds.machinery.changes import DRIFT, Change, summary
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import FORCE_DETACH, Resource

_TROUBLE: Final = frozenset({Reason.RATE_LIMITED, Reason.GRACE_PERIOD})
"""Reasons of what is true, and still a warning."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class News:
    """One event."""

    reason: str
    note: str
    warns: bool = False


class Teller:
    def __init__(self, writer: Writer, recorder: Recorder) -> None:
        self._writer = writer
        self._recorder = recorder
        self._new: set[str] = set()
        """Uids of objects that have not been Ready since they were made."""

    async def of_deployment(self, resource: Resource, outcome: Outcome) -> None:
        await self._writer.status(resource, compose(resource, outcome))
        self._tell(resource, deployment_news(resource, outcome))

    async def of_object(self, resource: Resource, outcome: Outcome) -> None:
        was = resource.condition("Ready")
        if was is None or was["reason"] == Reason.PENDING:
            self._new.add(resource.uid)
        await self._writer.status(resource, compose(resource, outcome))
        if outcome.ready == "True" and resource.uid in self._new:
            self._new.discard(resource.uid)
            metrics.time_to_ready_seconds.labels(resource.key.kind).observe(_age(resource))
        self._tell(resource, object_news(resource, outcome))

    def of_changes(self, resource: Resource, found: Sequence[Found]) -> None:
        """That they were needed: `resource` is as it was before."""
        if not found:
            return
        told = unexpected(resource, found)
        drifted = sum(1 for change in told if change.event == DRIFT)
        if drifted:
            metrics.drift_found.labels(resource.key.kind).inc(drifted)
        self._tell(resource, changes_news(told))

    def of_release(self, resource: Resource, news: News) -> None:
        """That Kubernetes may let the object go."""
        self._tell(resource, [news], action="Delete", warns=FORCE_DETACH in resource.annotations)
        log.info("released", object=str(resource.key), why=news.note)

    def forget(self, resource: Resource) -> None:
        """It is gone."""
        self._new.discard(resource.uid)

    def _tell(
        self, resource: Resource, news: Iterable[News], *, action: str = "Reconcile", warns: bool = False
    ) -> None:
        for item in news:
            say = self._recorder.warning if warns or item.warns else self._recorder.normal
            say(resource, item.reason, action, item.note)


def deployment_news(before: Resource, outcome: Outcome) -> Iterator[News]:
    """What a person should hear of a CoderDeployment."""
    was = before.condition("Ready")
    if was is None or (was["status"], was["reason"]) != (outcome.ready, outcome.reason):
        yield _of_condition(DomainCondition("Ready", outcome.ready, outcome.reason, outcome.message))
        return  # which says all that others would
    for condition in outcome.conditions:
        if _has_turned(before.condition(condition.type), condition):
            yield _of_condition(condition)


def _of_condition(condition: DomainCondition) -> News:
    well = condition.status == "True" and condition.reason not in _TROUBLE
    return News(condition.reason, condition.message, warns=not well)


def _has_turned(known: Mapping[str, Any] | None, condition: DomainCondition) -> bool:
    """Between what is well and what is not; not that it is unknown."""
    if known is None or condition.status == "Unknown":
        return False
    if known["status"] == "Unknown":
        return condition.status == "False"
    return (known["status"], known["reason"]) != (condition.status, condition.reason)


def object_news(before: Resource, outcome: Outcome) -> Iterator[News]:
    """What a person should hear of an object: what its kind warns of, and how it stands when that has changed. That a
    new one is applied is what everybody expects, and that one waits may be over in a moment; status says both.
    That it is suspended no longer is news, however it stands then."""
    for condition in outcome.conditions:
        known = before.condition(condition.type)
        if condition.warns and (known is None or known["reason"] != condition.reason):
            yield News(condition.reason, condition.message, warns=True)
    was = before.condition("Ready") or {"status": "Unknown", "reason": Reason.PENDING}
    if (was["status"], was["reason"]) == (outcome.ready, outcome.reason):
        return
    if outcome.ready == "True":
        if was["reason"] != Reason.PENDING:
            yield News(outcome.reason, outcome.message)
    elif outcome.progress is not Progress.WORKING or was["reason"] == Reason.SUSPENDED:
        yield News(outcome.reason, outcome.message, warns=True)


_UNEXPECTED: Final = frozenset({Cause.DRIFT, Cause.DEPARTURE, Cause.ROTATION, Cause.UPKEEP})


def unexpected(before: Resource, found: Sequence[Found]) -> list[Change]:
    """The changes that an object at rest needed, without those that follow from what was declared or waited for."""
    if not before.settled:
        return []
    return [change for item in found if item.cause in _UNEXPECTED for change in item.changes]


def changes_news(changes: Sequence[Change]) -> Iterator[News]:
    """That they were needed: the object was changed in Coder, or something was due."""
    for event in dict.fromkeys(change.event for change in changes):
        told = summary([change for change in changes if change.event == event])
        yield News(event, f"changed in Coder: {told}", warns=True) if event == DRIFT else News(event, told)


def _age(resource: Resource) -> float:
    """Seconds, by two clocks and to the second: Kubernetes dates objects so."""
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(resource.created)).total_seconds())
