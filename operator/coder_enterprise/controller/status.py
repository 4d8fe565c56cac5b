"""Conditions and status: how an outcome is said, exactly as kstatus reads it.

Used by the reconcilers. Pure functions: status before and outcome in, status after out. `Ready` is always there,
`Reconciling` and `Stalled` only while true; a condition's time moves only when its status does, and nothing here
moves by itself, so that an object at rest is never written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from coder_enterprise.kinds.machinery.base import DomainCondition, Progress
from coder_enterprise.kinds.machinery.changes import Change
from coder_enterprise.kinds.machinery.common import NEVER, bounded
from coder_enterprise.kinds.machinery.moments import timestamp
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import RECONCILE_REQUESTED_AT, Resource
from coder_enterprise.kinds.machinery.texts import clipped

MESSAGE_LIMIT: Final = 1024


class Outcome(NamedTuple):
    """What one reconcile has to say. Each visit makes one, which of a frozen dataclass takes three times as long."""

    ready: str
    """"True", "False" or "Unknown"."""
    reason: Reason
    message: str
    progress: Progress
    synced: DomainCondition | None = None
    """None keeps what status says."""
    conditions: tuple[DomainCondition, ...] = ()
    fields: Mapping[str, Any] = MappingProxyType({})
    """The kind's own status fields; None clears one, absent keeps it."""
    dropped: tuple[str, ...] = ()
    """Types of conditions that are kept no longer."""
    pending: Sequence[Change] = ()
    """Differences that were not applied."""
    handled: bool = True
    """False: nobody has looked at this generation, nor at what was requested by annotation."""


def compose(resource: Resource, outcome: Outcome) -> dict[str, Any]:
    """The whole status after `outcome`."""
    status = {key: value for key, value in resource.status.items() if outcome.fields.get(key, "") is not None}
    status |= {key: value for key, value in outcome.fields.items() if value is not None}
    status["conditions"] = _conditions(resource, outcome)
    if outcome.handled:
        status["observedGeneration"] = resource.generation
    requested = resource.annotations.get(RECONCILE_REQUESTED_AT)
    if requested and outcome.handled:
        status["lastHandledReconcileAt"] = acknowledged(requested)
    status.pop("pendingChanges", None)
    if outcome.pending:
        status["pendingChanges"] = bounded([change.pending() for change in outcome.pending])
    return status


def acknowledged(requested: str) -> str:
    """How status repeats the annotation reconcile-requested-at; the CRD bounds it."""
    return requested[:256]


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch that turns one status into the other; empty when they are equal."""
    patch: dict[str, Any] = {key: None for key in before if key not in after}
    for key, value in after.items():
        known = before.get(key)
        if isinstance(value, dict) and isinstance(known, dict):
            nested = difference(known, value)
            if nested:
                patch[key] = nested
        elif known != value:
            patch[key] = value
    return patch


def _conditions(resource: Resource, outcome: Outcome) -> list[dict[str, Any]]:
    wanted = [DomainCondition("Ready", outcome.ready, outcome.reason, outcome.message)]
    if outcome.progress is Progress.WORKING:
        wanted.append(DomainCondition("Reconciling", "True", outcome.reason, outcome.message))
    if outcome.progress is Progress.STALLED:
        wanted.append(DomainCondition("Stalled", "True", outcome.reason, outcome.message))
    if outcome.synced:
        wanted.append(outcome.synced)
    wanted += outcome.conditions
    replaced = {condition.type for condition in wanted} | {"Reconciling", "Stalled", *outcome.dropped}
    kept = [dict(item) for item in resource.status.get("conditions") or () if item["type"] not in replaced]
    return [_dated(resource, condition) for condition in wanted] + kept


def _dated(resource: Resource, condition: DomainCondition) -> dict[str, Any]:
    known = resource.condition(condition.type)
    unchanged = known is not None and known["status"] == condition.status
    moment = known["lastTransitionTime"] if known and unchanged else NEVER
    if moment == NEVER:  # so the CRD's default dates it: the first visit is its true beginning
        moment = _now()
    return {
        "type": condition.type,
        "status": condition.status,
        "reason": str(condition.reason),
        "message": clipped(condition.message, MESSAGE_LIMIT),
        "lastTransitionTime": moment,
        "observedGeneration": resource.generation,
    }


def _now() -> str:
    return timestamp(datetime.now(UTC))
