"""How one object stands: its Ready condition in a form that screens, filters and sorting can use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from coder_enterprise.kinds.machinery.explanations import EXPLANATIONS
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Key, Resource

READY: Final = "Ready"
_NO_VERDICT: Final = frozenset({"Ready", "Reconciling", "Stalled"})
"""Conditions of which "False" is no complaint."""
_KNOWN: Final = frozenset(Reason)


class Standing(NamedTuple):
    """One condition of one object. Read from what an operator of any version wrote: nothing in it is taken for sure.
    The page makes ten thousand at once."""

    key: Key
    type: str
    status: str
    """"True", "False" or "Unknown"."""
    reason: str
    message: str
    changed: str
    """When its status became that, as it was written; "" before the first visit."""
    stalled: bool
    """A person must act."""

    @property
    def since(self) -> datetime | None:
        """The same; None where nothing is known."""
        return moment(self.changed)

    @property
    def ready(self) -> bool:
        return self.status == "True"

    @property
    def suspended(self) -> bool:
        return self.reason == Reason.SUSPENDED

    @property
    def advice(self) -> str:
        """What to do, by the reason; "" where nobody knows it or nothing is to be done."""
        return advice(self.reason)

    def document(self) -> dict[str, Any]:
        """As `--output json` prints it."""
        return {
            **self.key._asdict(),
            "type": self.type,
            "status": self.status,
            "reason": self.reason,
            "message": self.message,
            "since": self.since.isoformat() if self.since else None,
            "stalled": self.stalled,
            "advice": "" if self.ready else self.advice,
        }


def advice(reason: str) -> str:
    """What to do about that reason; "" where nobody knows it or nothing is to be done."""
    text = EXPLANATIONS[Reason(reason)].advice if reason in _KNOWN else ""
    return "" if text == "Nothing." else text.replace("`", "")


def standing(resource: Resource, type_: str = READY) -> Standing:
    """By its condition of that type."""
    return _standing(resource, resource.condition(type_) or {"type": type_})


def complaints(resource: Resource) -> Iterator[Standing]:
    """Of an object that is ready: its other conditions that are not well."""
    for condition in resource.status.get("conditions") or ():
        if condition.get("status") == "False" and condition.get("type") not in _NO_VERDICT:
            yield _standing(resource, condition)


def moment(text: object) -> datetime | None:
    """Of an RFC 3339 time, in UTC; None for none, for the time that stands for never, and for one that no calendar
    has."""
    try:
        found = datetime.fromisoformat(str(text))
        known = found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None
    return known if known and known.timestamp() > 0 else None


def _standing(resource: Resource, condition: Mapping[str, Any]) -> Standing:
    stalled = resource.condition("Stalled")
    return Standing(
        resource.key,
        str(condition.get("type", "")),
        str(condition.get("status", "Unknown")),
        str(condition.get("reason") or Reason.PENDING),
        str(condition.get("message", "")),
        str(condition.get("lastTransitionTime") or ""),
        stalled is not None and stalled.get("status") == "True",
    )
