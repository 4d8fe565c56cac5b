"""What a visit comes to, from what was found to what an object has to say: applied, compared alone, failed, suspended.

Used by both reconcilers. Pure functions; `controller.status` turns an outcome into status, `controller.telling` into
events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from coder_enterprise.client.errors import Meaning, OperatorError
from coder_enterprise.controller.status import Outcome
from coder_enterprise.controller.visit import Visit
from coder_enterprise.kinds.machinery.base import DomainCondition, Observation, Progress, Verdict
from coder_enterprise.kinds.machinery.changes import Change, summary
from coder_enterprise.kinds.machinery.common import ManagementPolicy
from coder_enterprise.kinds.machinery.errors import KindError
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import EXTERNAL_ID, Resource
from coder_enterprise.kinds.machinery.suspension import Suspension

IN_SYNC = "Coder has what spec declares"
_SYNCED: Final = DomainCondition("Synced", "True", Reason.IN_SYNC, IN_SYNC)


def applied(fields: Mapping[str, Any], verdict: Verdict) -> Outcome:
    return Outcome(
        ready="True" if verdict.ready else "False",
        reason=verdict.reason,
        message=verdict.message,
        progress=verdict.progress,
        synced=_SYNCED,
        conditions=verdict.conditions,
        dropped=verdict.dropped,
        fields=fields,
    )


def compared(
    visit: Visit, resource: Resource, observed: Observation, changes: Sequence[Change], verdict: Verdict
) -> Outcome:
    """managementPolicy Plan and Observe: the difference, and no write."""
    observe = visit.spec.management_policy is ManagementPolicy.OBSERVE
    missing = observe and observed.external_id is None
    count = f"{len(changes)} difference{'s' if len(changes) > 1 else ''}"
    note = f"{count} from Coder: {summary(changes)}" if changes else IN_SYNC
    synced = DomainCondition(
        "Synced", "False" if changes else "True", Reason.DRIFTED if changes else Reason.IN_SYNC, note
    )
    fields = visit.kind.report(visit.spec, observed, (), resource.status)
    if observed.external_id != resource.external_id:
        # Not ours: an id in status would say that it is.
        fields = {**fields, EXTERNAL_ID: resource.external_id}
    return Outcome(
        ready="False" if missing else "True",
        reason=Reason.NOT_FOUND if missing else Reason.OBSERVED if observe else Reason.PLANNED,
        message="it does not exist in Coder" if missing else note,
        progress=Progress.WORKING if missing else Progress.DONE,
        synced=synced,
        conditions=verdict.conditions,
        dropped=verdict.dropped,
        fields=fields,
        pending=changes,
    )


def failed(error: OperatorError) -> Outcome:
    """What an object shows that could not be reconciled."""
    pending = error.pending if isinstance(error, KindError) else ()
    reason = Reason(error.reason)
    return Outcome(
        ready="False",
        reason=reason,
        message=error.message,
        progress=Progress.STALLED if error.meaning is Meaning.STALLED else Progress.WORKING,
        synced=DomainCondition("Synced", "False" if pending else "Unknown", reason, error.message),
        pending=pending,
    )


def suspended(resource: Resource, stopped: Suspension) -> Outcome:
    """What an object shows that nobody looks at: not its last state, which spec may have left, and nothing of spec."""
    synced = DomainCondition("Synced", "Unknown", Reason.SUSPENDED, stopped.message)
    return Outcome(
        ready="Unknown",
        reason=Reason.SUSPENDED,
        message=stopped.message,
        progress=Progress.DONE,
        synced=synced if resource.condition("Synced") else None,
        handled=False,
    )
