"""The form of every finding."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True)
class Finding:
    subject: str
    """The cluster, or a CoderDeployment as namespace/name."""
    check: str
    """What was looked at, in a word or two."""
    level: Level
    message: str
    next_step: str = ""
    """Of a warning or a failure."""

    def document(self) -> dict[str, Any]:
        """As `--output json` prints it."""
        return {
            "subject": self.subject,
            "check": self.check,
            "level": self.level,
            "message": self.message,
            "nextStep": self.next_step,
        }


@dataclass(frozen=True)
class About:
    """Makes findings about one subject."""

    subject: str

    def ok(self, check: str, message: str) -> Finding:
        return Finding(self.subject, check, Level.OK, message)

    def warning(self, check: str, message: str, next_step: str) -> Finding:
        return Finding(self.subject, check, Level.WARNING, message, next_step)

    def failure(self, check: str, message: str, next_step: str) -> Finding:
        return Finding(self.subject, check, Level.FAILURE, message, next_step)


CLUSTER: Final = About("cluster")
