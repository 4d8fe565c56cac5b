"""What a visit returns to the workers, and what errors mean for the next one.

Used by both reconcilers, by the deletion of objects, and by the workers.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from coder_enterprise.client.errors import Meaning, OperatorError
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.suspension import Suspension


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


DONE: Final = Result()
"""There is nothing more to do until something happens."""


class Parked(Exception):
    """The deployment has not been asked yet; its first answer wakes the object."""


def until_resumed(stopped: Suspension) -> Result:
    """When to look at what is suspended."""
    return DONE if stopped.revisit is None else Result(Again.AFTER, stopped.revisit)


_ANNOUNCED: Final = frozenset({Reason.WAITING_FOR_DEPLOYMENT, Reason.NOT_ENTITLED, Reason.DELETING})
"""What the gate of the deployment tells all its objects: to look for it as well would only cost."""


def result_of(error: OperatorError) -> Result:
    """When to try again after `error`."""
    if error.meaning is Meaning.WAITING and error.reason in _ANNOUNCED:
        return Result(Again.NEVER, label="waiting")
    again = Again.SLOWLY if error.meaning is Meaning.STALLED else Again.BACKOFF
    return Result(again, label=error.meaning.lower())
