"""Plans as data: what would happen to each object, and why. Made by `planner.planning`, printed by the command line.

The JSON form is public: `VERSION` is raised when it changes in a way that a reader could trip over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from coder_enterprise.kinds.machinery.changes import Change
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Key
from coder_enterprise.planner.faults import Fault, Origin

VERSION: Final = "enterprise.coder.com/plan/v1"


class Verb(StrEnum):
    """What applying an object would do."""

    CREATE = "create"
    CHANGE = "change"
    ADOPT = "adopt"
    """Take over what exists in Coder, with or without changes."""
    DELETE = "delete"
    WAIT = "wait"
    """Nothing yet, or not all: something that others provide is missing."""
    REFUSE = "refuse"
    """Nothing: a person must change something first."""
    FAIL = "fail"
    """Nobody knows: Coder could not be asked."""
    UNCHANGED = "unchanged"


WORDS: Final[dict[Verb, str]] = {
    Verb.CREATE: "to create",
    Verb.CHANGE: "to change",
    Verb.ADOPT: "to adopt",
    Verb.DELETE: "to delete",
    Verb.WAIT: "waiting",
    Verb.REFUSE: "refused",
    Verb.FAIL: "unknown",
    Verb.UNCHANGED: "unchanged",
}
ALWAYS: Final = (Verb.CREATE, Verb.CHANGE, Verb.DELETE, Verb.WAIT, Verb.UNCHANGED)
"""What the last line counts also where there is none of it."""


@dataclass(frozen=True)
class Step:
    """What would happen to one object."""

    key: Key
    verb: Verb
    title: str = ""
    """What it is called in Coder."""
    deployment: Key | None = None
    external_id: str | None = None
    changes: tuple[Change, ...] = ()
    reason: Reason | None = None
    """Why not all is done, in the operator's own word for it."""
    message: str = ""
    """The same for people, or what else they should know."""
    pending: tuple[str, ...] = ()
    """People and groups that do not exist in Coder yet."""
    promised: Mapping[str, Key] = field(default_factory=dict)
    """Those of `pending` whom another object of the plan makes."""
    unproven: bool = False
    """It exists in Coder, and nobody here knows whether this object made it."""
    retained: str = ""
    """Why the deletion of the object would leave alone what it stands for in Coder; "" where it would not."""
    origin: Origin | None = None
    """Where its manifest is."""

    @property
    def acts(self) -> bool:
        """Something would be written to Coder."""
        return self.verb in (Verb.CREATE, Verb.DELETE) or bool(self.changes and self.verb in (Verb.CHANGE, Verb.ADOPT))

    def as_dict(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "kind": self.key.kind,
            "namespace": self.key.namespace,
            "name": self.key.name,
            "action": str(self.verb),
            "title": self.title,
            "deployment": self.deployment.namespaced_name if self.deployment else None,
            "id": self.external_id,
            "changes": [_change(change) for change in self.changes],
            "reason": str(self.reason) if self.reason else None,
            "message": self.message or None,
            "pending": list(self.pending),
            "madeBy": {name: str(key) for name, key in self.promised.items()},
            "retained": self.retained or None,
            "origin": str(self.origin) if self.origin else None,
        }
        return {name: value for name, value in document.items() if value not in (None, [], {})}


def _change(change: Change) -> dict[str, Any]:
    document = {"action": str(change.action), "path": change.path, "from": change.before, "to": change.after}
    return {name: value for name, value in document.items() if value is not None}


@dataclass(frozen=True)
class Plan:
    steps: Sequence[Step] = ()
    faults: Sequence[Fault] = ()
    """Manifests that cannot be read or would not be admitted."""
    notes: Sequence[str] = ()
    servers: dict[Key, str] = field(default_factory=dict)
    """Which URL each deployment was planned against."""

    @property
    def counts(self) -> Counter[Verb]:
        return Counter(step.verb for step in self.steps)

    @property
    def acts(self) -> bool:
        return any(step.acts for step in self.steps)

    @property
    def refuses(self) -> bool:
        """A person must change something first."""
        return any(step.verb is Verb.REFUSE for step in self.steps)

    @property
    def failed(self) -> bool:
        return bool(self.faults) or any(step.verb is Verb.FAIL for step in self.steps)

    @property
    def summary(self) -> str:
        """The last line: `Plan: 3 to create, 1 to change, 0 to delete, 2 waiting, 40 unchanged`."""
        counts = self.counts
        told = [f"{counts[verb]} {WORDS[verb]}" for verb in Verb if verb in ALWAYS or counts[verb]]
        if self.faults:
            told.append(f"{len(self.faults)} invalid")
        return f"Plan: {', '.join(told)}"

    def as_dict(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "summary": {str(verb): self.counts[verb] for verb in Verb} | {"invalid": len(self.faults)},
            "deployments": [
                {"namespace": key.namespace, "name": key.name, "url": url} for key, url in sorted(self.servers.items())
            ],
            "steps": [step.as_dict() for step in self.steps],
            "invalid": list(map(str, self.faults)),
            "notes": list(self.notes),
        }
