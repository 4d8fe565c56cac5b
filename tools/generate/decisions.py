"""docs/reference/decisions.md: what the operator decides by a chain of policies, in their order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from coder_enterprise.kinds.decisions import DECISIONS, Decision

_INTRODUCTION: Final = """\
# Decisions

Made by `make generate` from `operator/coder_enterprise/kinds/decisions.py`.

Each question is answered by the first line that applies, from top to bottom. The words in front are the names of the
functions in the code; [the reasons](reasons.md) say what to do.
"""


def decisions() -> str:
    """The page."""
    return "\n".join([_INTRODUCTION, *map(_section, DECISIONS)])


def _section(decision: Decision) -> str:
    table = "\n".join(["| | policy | what it says |", "| --- | --- | --- |", *_rows(decision)])
    last = f"\n\nElse: {decision.otherwise}" if decision.otherwise else ""
    return f"## {decision.question}\n\n{table}{last}\n"


def _rows(decision: Decision) -> Iterator[str]:
    for number, (name, says) in enumerate(decision.chain.explained(), 1):
        yield f"| {number} | {name} | {says} |"
