"""What a plan is made of: the differences between what is declared and what Coder has.

Made by the kinds' plans and carried out by their `apply`; shown by the controller in status, events and errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from typing_extensions import override

from coder_enterprise.kinds.machinery.common import MAX_TEXT, PendingChange
from coder_enterprise.kinds.machinery.texts import clipped_value, enumerated

DRIFT: Final = "DriftCorrected"
"""Somebody else has changed it in Coder."""
SUBJECT_GONE: Final = "SubjectGone"
"""Somebody whom this object gave something is not there any more, or not under the name that spec has."""
ROTATED: Final = "TokenRotated"
IN_MESSAGE: Final = 5


class Action(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    ADD = "add"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between what is declared and what Coder has. `before` and `after` are for people."""

    action: Action
    path: str
    """The field of spec."""
    before: str | int | None = None
    after: str | int | None = None
    subject: str = ""
    """The id in Coder that is added or removed, where `path` is a list."""
    event: str = DRIFT
    """What the event is called that tells of it, when an object at rest needed it."""

    @override
    def __str__(self) -> str:
        if self.action is Action.CREATE:
            return f"create {self.after}"
        if self.action is Action.ADD:
            return f"{self.path}: add {self.after}"
        if self.action is Action.REMOVE:
            return f"{self.path}: remove {self.before}"
        return f"{self.path}: {self.before!r} becomes {self.after!r}"

    def pending(self) -> PendingChange:
        return PendingChange(
            path=self.path, from_=clipped_value(self.before, MAX_TEXT), to=clipped_value(self.after, MAX_TEXT)
        )


class Setting(NamedTuple):
    """A value that spec may declare, beside what Coder has of it."""

    path: str
    wanted: str | int | None
    """None: left alone."""
    current: str | int | None


def updates(settings: Iterable[Setting]) -> list[Change]:
    """The changes of those that are declared and differ."""
    return [
        Change(Action.UPDATE, path, current, wanted)
        for path, wanted, current in settings
        if wanted is not None and wanted != current
    ]


def paths_of(changes: Iterable[Change]) -> frozenset[str]:
    return frozenset(change.path for change in changes)


def creates(changes: Iterable[Change], path: str = "spec") -> bool:
    """Whether the thing itself, which spec declares at `path`, is to be made."""
    return any(change.action is Action.CREATE and change.path == path for change in changes)


def named_by(plan: Sequence[Change], found: Iterable[Change]) -> list[Change]:
    """Those of `found` that a plan has named, whatever it took for the value before."""
    named = {(change.action, change.path, change.subject) for change in plan}
    return [change for change in found if (change.action, change.path, change.subject) in named]


def summary(changes: Sequence[Change]) -> str:
    """For an event or a message."""
    return enumerated(changes, IN_MESSAGE, separator="; ")
