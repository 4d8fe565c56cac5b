"""Notes on a test which fault it injects and what must be true: `docs/reference/faults.md` is generated from them.

The tests of faults use it; `tools/generate` reads what it noted. It injects nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

Test = TypeVar("Test", bound=Callable[..., Any])

ATTRIBUTE = "faults"


@dataclass(frozen=True)
class Fault:
    name: str
    """What goes wrong, in a few words: what the page sorts and links by."""
    injected: str
    """What the test does, and between whom, as a sentence."""
    verdict: str
    """What must be true while it lasts and afterwards, as a sentence; the test checks it."""


def fault(*, name: str, injected: str, verdict: str) -> Callable[[Test], Test]:
    """A test function may have several, in the order in which they are written above it. Plain strings only: they
    are text of the documentation."""

    def note(test: Test) -> Test:
        setattr(test, ATTRIBUTE, (Fault(name, injected, verdict), *faults_of(test)))
        return test

    return note


def faults_of(test: Callable[..., Any]) -> tuple[Fault, ...]:
    """None, of a test that injects no fault."""
    noted: tuple[Fault, ...] = getattr(test, ATTRIBUTE, ())
    return noted
