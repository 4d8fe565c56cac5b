"""What a reconcile returns to the manager, and how errors become outcomes.

Used by both reconcilers and by the manager's workers.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pydantic import ValidationError

from coder_enterprise.client.errors import Meaning, OperatorError
from coder_enterprise.controller.status import Outcome, Progress
from coder_enterprise.kinds.base import DomainCondition, KindError
from coder_enterprise.kinds.reasons import Reason


class Again(StrEnum):
    """When a key is to be reconciled next, if nothing happens before."""

    NEVER = "never"
    BACKOFF = "backoff"
    """After an error: exponentially later, up to a minute."""
    SLOWLY = "slowly"
    """After an error that a person must repair: exponentially later, up to five minutes."""
    AFTER = "after"
    """After `Result.delay` seconds."""


@dataclass(frozen=True)
class Result:
    again: Again = Again.NEVER
    delay: float = 0.0
    label: str = "done"
    """For metrics: done, waiting, transient, stalled, fault, lost."""


class Parked(Exception):
    """The deployment has not been asked yet; its first answer wakes the object."""


def invalid_spec(error: ValidationError) -> KindError:
    """A spec that admission let through but the kind does not understand, such as one from a newer CRD."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(["spec", *(str(part) for part in first["loc"])])
    return KindError(Reason.INVALID_SPEC, f"{where}: {first['msg']}", meaning=Meaning.STALLED)


def failed(error: OperatorError) -> Outcome:
    """What an object shows that could not be reconciled."""
    stalled = error.meaning is Meaning.STALLED
    pending = error.pending if isinstance(error, KindError) else ()
    reason = Reason(error.reason)
    synced = DomainCondition("Synced", "False" if pending else "Unknown", reason, error.message)
    return Outcome(
        ready="False",
        reason=reason,
        message=error.message,
        progress=Progress.STALLED if stalled else Progress.WORKING,
        synced=synced,
        pending=pending,
    )


_ANNOUNCED: Final = frozenset({Reason.WAITING_FOR_DEPLOYMENT, Reason.NOT_ENTITLED, Reason.DELETING})
"""What the gate of the deployment tells all its objects: to look for it as well would only cost."""


def result_of(error: OperatorError) -> Result:
    """When to try again after `error`."""
    if error.meaning is Meaning.WAITING and error.reason in _ANNOUNCED:
        return Result(Again.NEVER, label="waiting")
    again = Again.SLOWLY if error.meaning is Meaning.STALLED else Again.BACKOFF
    return Result(again, label=error.meaning.lower())
