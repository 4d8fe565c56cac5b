"""Whose a thing in Coder is, as far as that follows from facts that are known: pure functions.

Asked by the controller, which knows the other objects, and by all who plan without one. Which facts prove something,
such as a signature or the consent of a CoderDeployment, is decided by who gathers them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from coder_enterprise.kinds.machinery.base import Observation
from coder_enterprise.kinds.machinery.changes import Change, summary
from coder_enterprise.kinds.machinery.common import AdoptionPolicy
from coder_enterprise.kinds.machinery.errors import KindError, stalled
from coder_enterprise.kinds.machinery.policies import Chain
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Key, Resource

Rank = tuple[bool, tuple[str, str]]
Precedence = tuple[bool, bool, Rank]


class Finding(NamedTuple):
    """What is there, and what says that the object has made it."""

    observed: Observation
    recorded_id: str | None
    """That status has recorded."""
    proven: bool
    """The operator has let this very object have that name in Coder, before a crash."""


def nothing_is_there(finding: Finding) -> bool | None:
    """It does not exist in Coder: whoever makes it owns it."""
    return True if finding.observed.external_id is None else None


def its_id_is_recorded(finding: Finding) -> bool | None:
    """status.id is its id."""
    return True if finding.observed.external_id == finding.recorded_id else None


def it_was_intended(finding: Finding) -> bool | None:
    """Status recorded, before the write, what was going to be made, or what a deletion left behind."""
    return True if finding.observed.intended else None


def a_claim_proves_it(finding: Finding) -> bool | None:
    """Nothing is recorded yet, and the operator has signed that this object may make it."""
    return True if finding.recorded_id is None and finding.proven else None


OURS: Final = Chain(nothing_is_there, its_id_is_recorded, it_was_intended, a_claim_proves_it)


def is_ours(finding: Finding) -> bool:
    return bool(OURS.decide(finding))


@dataclass(frozen=True)
class Foreign:
    """What exists in Coder and is not the object's, and what the object asks for."""

    title: str
    observed: Observation
    holder: Key | None
    """Another object that has recorded its id."""
    policy: AdoptionPolicy
    changes: Sequence[Change]

    @property
    def named(self) -> str:
        return f"({self.observed.external_id})"


@dataclass(frozen=True)
class Ruling:
    """Whether the object may have it."""

    refusal: KindError | None = None


_GRANTED: Final = Ruling()


def another_object_has_it(foreign: Foreign) -> Ruling | None:
    """Refused with Conflict: another object has recorded its id."""
    if foreign.holder is None:
        return None
    message = f"{foreign.title} {foreign.named} belongs to {foreign.holder} already; remove one of the two"
    return Ruling(stalled(Reason.CONFLICT, message))


def nobody_has_decided_about_it(foreign: Foreign) -> Ruling | None:
    """Granted: it is there by itself, such as the empty ACL of a new template."""
    return _GRANTED if foreign.observed.free else None


def it_may_be_changed(foreign: Foreign) -> Ruling | None:
    """Granted: adoptionPolicy is Adopt."""
    return _GRANTED if foreign.policy is AdoptionPolicy.ADOPT else None


def it_is_identical(foreign: Foreign) -> Ruling | None:
    """Granted: adoptionPolicy is AdoptIfIdentical, and nothing differs."""
    identical = foreign.policy is AdoptionPolicy.ADOPT_IF_IDENTICAL and not foreign.changes
    return _GRANTED if identical else None


def nothing_may_be_adopted(foreign: Foreign) -> Ruling | None:
    """Refused with AlreadyExists: adoptionPolicy is Fail."""
    if foreign.policy is not AdoptionPolicy.FAIL:
        return None
    differs = summary(foreign.changes) or "it is identical"
    message = (
        f"{foreign.title} exists in Coder already {foreign.named} and was not made by this object: {differs}; set "
        "spec.adoptionPolicy to AdoptIfIdentical or Adopt to take it over, or name another"
    )
    return Ruling(stalled(Reason.ALREADY_EXISTS, message, foreign.changes))


def it_differs(foreign: Foreign) -> Ruling:
    """Refused with NotIdentical: adoptionPolicy is AdoptIfIdentical."""
    message = (
        f"{foreign.title} exists in Coder already {foreign.named} and differs: {summary(foreign.changes)}; "
        "change spec, or set spec.adoptionPolicy to Adopt"
    )
    return Ruling(stalled(Reason.NOT_IDENTICAL, message, foreign.changes))


ADOPTION: Final = Chain(
    another_object_has_it,
    nobody_has_decided_about_it,
    it_may_be_changed,
    it_is_identical,
    nothing_may_be_adopted,
    it_differs,
)


def refusal(foreign: Foreign) -> KindError | None:
    """Why the object may not have it; None when it may."""
    ruling = ADOPTION.decide(foreign)
    return ruling.refusal if ruling else None


# Two objects, one thing


def rank(resource: Resource, *, acts_as_owner: bool) -> Rank:
    """Sorts first who acts as an owner in Coder, then the oldest."""
    return (not acts_as_owner, resource.age)


def precedence(resource: Resource, *, proven: bool, acts_as_owner: bool) -> Precedence:
    """Sorts first who has had a claim to that very name before, then who has an id, then by rank."""
    return (not proven, resource.external_id is None, rank(resource, acts_as_owner=acts_as_owner))


def rival(first: Key) -> KindError:
    """What the later one of two is told."""
    return stalled(Reason.CONFLICT, f"{first} claims the same thing in Coder and was first; remove one of the two")
