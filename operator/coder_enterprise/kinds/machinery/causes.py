"""Why the operator changed something in Coder, as far as that follows from facts that are known: pure functions.

Asked by the controller for each change of a visit, which gathers the facts: it knows the other objects, and what was
done for them. What comes of a cause, `controller.telling` and `controller.journal` know.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from coder_enterprise.kinds.machinery.changes import DRIFT, ROTATED, SUBJECT_GONE, Action, Change
from coder_enterprise.kinds.machinery.policies import Chain
from coder_enterprise.kinds.machinery.resource import Key, Resource


class Cause(StrEnum):
    CREATION = "creation"
    """The object is new, and so is what it stands for."""
    ADOPTION = "adoption"
    """The object is new, and took over what was there."""
    EDIT = "edit"
    """Somebody edited the object."""
    ROTATION = "rotation"
    """A token was replaced."""
    UPKEEP = "upkeep"
    """What belongs to the object in Kubernetes was not as declared: a Secret, or a Deployment."""
    DUE = "due"
    """A date came, or a Secret has other content."""
    ARRIVAL = "arrival"
    """Somebody or something came that the object waited for."""
    CONSEQUENCE = "consequence"
    """It follows from what was done for another object."""
    DEPARTURE = "departure"
    """Somebody whom the object names is gone, or is called otherwise, and not by the operator."""
    RECOVERY = "recovery"
    """What could not be done before is done."""
    DRIFT = "drift"
    """Somebody else changed it in Coder."""
    DELETION = "deletion"
    """The object was deleted."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """One change, and what is known of the object before it."""

    change: Change
    before: Resource
    existed: bool
    """What the object stands for was there, and not its own."""
    moved_on: bool
    """What is declared has changed without spec: a Secret, or the time of day."""
    waits: bool
    """The object waited for somebody or something."""
    because: Key | None
    """Another object for which something was done that this change may follow from."""


def the_object_is_new(facts: Circumstances) -> Cause | None:
    """Nothing is recorded in its status yet: creation, or adoption of what was there."""
    if facts.before.external_id is not None:
        return None
    return Cause.ADOPTION if facts.existed else Cause.CREATION


def it_was_edited(facts: Circumstances) -> Cause | None:
    """Edit: its generation is not the one that was applied last."""
    edited = facts.before.status.get("observedGeneration") != facts.before.generation
    return Cause.EDIT if edited else None


def a_token_was_due(facts: Circumstances) -> Cause | None:
    """Rotation: the plan says so, and why."""
    return Cause.ROTATION if facts.change.event == ROTATED else None


def it_is_kept_in_kubernetes(facts: Circumstances) -> Cause | None:
    """Upkeep: of its Secret, or of its Deployment."""
    return Cause.UPKEEP if facts.change.event not in {DRIFT, SUBJECT_GONE} else None


def the_time_came(facts: Circumstances) -> Cause | None:
    """Due: a date, or other content of a Secret, and neither spec nor Coder."""
    return Cause.DUE if facts.moved_on else None


def somebody_came(facts: Circumstances) -> Cause | None:
    """Arrival: its status said that it waited, and something is added."""
    return Cause.ARRIVAL if facts.waits and facts.change.action is Action.ADD else None


def the_operator_did_it_itself(facts: Circumstances) -> Cause | None:
    """Consequence: since the object was compared last, what the change is about was made, deleted or renamed for
    another object, or its CoderDeployment leads to another Coder."""
    return Cause.CONSEQUENCE if facts.because is not None else None


def somebody_went(facts: Circumstances) -> Cause | None:
    """Departure: what this object had given to somebody, and spec, which is the same, does not lead to them."""
    return Cause.DEPARTURE if facts.change.event == SUBJECT_GONE else None


def it_was_not_well(facts: Circumstances) -> Cause | None:
    """Recovery: it was not Ready before."""
    return None if facts.before.settled else Cause.RECOVERY


CAUSES: Final = Chain(
    the_object_is_new,
    it_was_edited,
    a_token_was_due,
    it_is_kept_in_kubernetes,
    the_time_came,
    somebody_came,
    the_operator_did_it_itself,
    somebody_went,
    it_was_not_well,
)


def cause_of(facts: Circumstances) -> Cause:
    return CAUSES.decide(facts) or Cause.DRIFT
