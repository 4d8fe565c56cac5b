"""Whether an object is suspended, and until when.

Asked with spec as it is stored by the reconcilers, by plans, and by the commands: of an object that is on its way out
nothing else of spec need be understood.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from coder_enterprise.kinds.machinery import moments
from coder_enterprise.kinds.machinery.moments import revisit_in, timestamp

_MOMENT: Final = TypeAdapter[datetime](AwareDatetime)


@dataclass(frozen=True, slots=True)
class Suspension:
    until: datetime | None
    """None: until somebody ends it."""

    @property
    def why(self) -> str:
        return "spec.suspend is true" if self.until is None else f"spec.suspendUntil is {timestamp(self.until)}"

    @property
    def message(self) -> str:
        return f"{self.why}: nothing is read or written" + (" until then" if self.until else "")

    @property
    def revisit(self) -> float | None:
        """Seconds until it may be over; None where it does not end by itself."""
        return None if self.until is None else revisit_in(self.until - moments.present())


def suspension(spec: Mapping[str, Any]) -> Suspension | None:
    """None for an object that is reconciled."""
    if spec.get("suspend") is True:
        return Suspension(None)
    try:
        until = _MOMENT.validate_python(spec.get("suspendUntil")).astimezone(UTC)
    except ValidationError:  # none, or no time, of which the reading of spec complains
        return None
    except OverflowError:  # the last day of a calendar, or the first, in another zone
        return None
    return Suspension(until) if moments.present() < until else None
