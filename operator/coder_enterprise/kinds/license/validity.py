"""How valid a licence is, by its term and the time of day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from coder_enterprise.kinds.license.claims import Term
from coder_enterprise.kinds.machinery.base import DomainCondition
from coder_enterprise.kinds.machinery.moments import timestamp
from coder_enterprise.kinds.machinery.policies import Chain
from coder_enterprise.kinds.machinery.reasons import Reason

WARN_BELOW: Final = 30
WARN_BELOW_FOR_TRIAL: Final = 7
"""Days left, as Coder counts and warns."""


_ADVICE: Final = "put a new licence into the Secret of spec.secretRef"


@dataclass(frozen=True)
class Moment:
    term: Term
    now: datetime

    @property
    def warn_below(self) -> int:
        return WARN_BELOW_FOR_TRIAL if self.term.trial else WARN_BELOW

    @property
    def expires(self) -> str:
        return timestamp(self.term.expires)


def over(moment: Moment) -> DomainCondition | None:
    """Expired: the grace period has ended, and with it all that the licence gave."""
    if moment.now < moment.term.ends:
        return None
    ended = timestamp(moment.term.ends)
    message = f"the licence expired at {moment.expires}, and its grace period ended at {ended}; {_ADVICE}"
    return DomainCondition("Valid", "False", Reason.EXPIRED, message, warns=True)


def in_grace(moment: Moment) -> DomainCondition | None:
    """GracePeriod: the term has ended; what the licence gives still works."""
    if moment.now < moment.term.expires:
        return None
    ends = timestamp(moment.term.ends)
    message = f"the licence expired at {moment.expires}, and what it gives ends at {ends}; {_ADVICE}"
    return DomainCondition("Valid", "True", Reason.GRACE_PERIOD, message, warns=True)


def not_begun(moment: Moment) -> DomainCondition | None:
    """NotYetValid: the term has not begun."""
    begins = moment.term.begins
    if begins is None or moment.now >= begins:
        return None
    message = f"the licence is valid from {timestamp(begins)} until {moment.expires}"
    return DomainCondition("Valid", "False", Reason.NOT_YET_VALID, message)


def ending_soon(moment: Moment) -> DomainCondition | None:
    """ExpiresSoon: in less than 30 days, or 7 for a trial."""
    if moment.term.days_left(moment.now) >= moment.warn_below:
        return None
    message = f"the licence expires at {moment.expires}, within {moment.warn_below} days; {_ADVICE}"
    return DomainCondition("Valid", "True", Reason.EXPIRES_SOON, message, warns=True)


VALIDITY: Final = Chain(over, in_grace, not_begun, ending_soon)


def validity(term: Term, now: datetime) -> DomainCondition:
    moment = Moment(term, now)
    well = DomainCondition("Valid", "True", Reason.VALID, f"the licence is valid until {moment.expires}")
    return VALIDITY.decide(moment) or well
