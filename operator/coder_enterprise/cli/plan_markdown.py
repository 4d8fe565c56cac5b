"""Plans for reviews: Markdown that fits into a comment, and the commands with which GitHub marks lines.

What others wrote, in Coder or on a branch, becomes no markup of the comment and no command.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from coder_enterprise.cli.plan_lines import SIGNS, details, groups, headline, visible
from coder_enterprise.kinds.machinery.texts import clipped
from coder_enterprise.planner.faults import Origin
from coder_enterprise.planner.files import STDIN_NAME
from coder_enterprise.planner.plans import WORDS, Plan, Step, Verb

MAX_COMMENT: Final = 65_536
"""Characters that GitHub takes; GitLab takes more."""
MAX_ROW: Final = 6_000
MAX_DETAIL: Final = 500
"""Characters before signs of markup are written as entities, six for one."""
_TAIL: Final = 500
"""Characters for what is said of the rest."""
_URGENT: Final = (Verb.FAIL, Verb.REFUSE, Verb.DELETE, Verb.CHANGE, Verb.ADOPT, Verb.CREATE, Verb.WAIT, Verb.UNCHANGED)
"""Who has room first where there is not enough."""
_MARKUP: Final = frozenset("&<>|@`*_[]!#~\\")


def markdown(plan: Plan) -> str:
    """At most `MAX_COMMENT` characters, and then with the numbers of what was left out."""
    head = f"**{plan.summary}**"
    room = _Room(MAX_COMMENT - len(head) - _TAIL)
    faults = [line for line in (f"- {_cell(str(fault))}" for fault in plan.faults) if room.take(line)]
    notes = [line for line in map(_cell, plan.notes) if room.take(line)]
    parts = [head, *_tables(plan, room)]
    if faults:
        parts += ["\nInvalid:\n", *faults]
    if notes:
        parts += ["", *notes]
    if room.refused:
        parts += ["", room.told(len(plan.faults) - len(faults))]
    return "\n".join(parts)


class _Room:
    """How much fits still, and what did not."""

    def __init__(self, characters: int) -> None:
        self._left = characters
        self.refused = False
        self.steps: Counter[Verb] = Counter()

    def take(self, *lines: str) -> bool:
        size = sum(len(line) + 1 for line in lines)
        if size > self._left:
            self.refused = True
            return False
        self._left -= size
        return True

    def told(self, invalid: int) -> str:
        counts = [f"{self.steps[verb]} {WORDS[verb]}" for verb in Verb if self.steps[verb]]
        counts += [f"{invalid} invalid"] if invalid else []
        what = f" of {', '.join(counts)}" if counts else ""
        return f"Left out, because a comment holds no more: the details{what}. `--output text` shows them."


def _tables(plan: Plan, room: _Room) -> Iterator[str]:
    """A table for each deployment and kind; what is urgent has room before what is not."""
    told = list(groups(plan))
    openings = {(deployment, kind): _opening(deployment, kind) for deployment, kind, _ in told}
    rows: dict[tuple[str, str], dict[int, str]] = {place: {} for place in openings}
    candidates = [
        ((deployment, kind), number, step) for deployment, kind, steps in told for number, step in enumerate(steps)
    ]
    for place, number, step in sorted(candidates, key=lambda each: _URGENT.index(each[2].verb)):
        row = _row(step)
        if room.take(row, *(() if rows[place] else openings[place])):
            rows[place][number] = row
        else:
            room.steps[step.verb] += 1
    for place, found in rows.items():
        if found:
            *before, after = openings[place]
            yield from (*before, *(found[number] for number in sorted(found)), after)


def _opening(deployment: str, kind: str) -> tuple[str, ...]:
    """And the line that closes it."""
    summary = f"\n<details open><summary>{kind} — {_cell(deployment)}</summary>\n"
    return (summary, "| | object | what |", "|---|---|---|", "\n</details>")


def _row(step: Step) -> str:
    place = _cell(step.key.namespaced_name)
    return f"| `{SIGNS[step.verb]}` | {place} | {'<br>'.join(_bounded(headline(step), details(step)))} |"


def _bounded(first: str, others: Iterable[str]) -> Iterator[str]:
    """As much as a row may hold: a group can get a thousand members at once."""
    left, rest = MAX_ROW, 0
    for line in (first, *others):
        cell = _cell(clipped(line, MAX_DETAIL))
        if rest or len(cell) > left:
            rest += 1
        else:
            left -= len(cell)
            yield cell
    if rest:
        yield f"… and {rest} more"


def _cell(text: str) -> str:
    """What others wrote must not become markup of the comment, nor call anybody."""
    return "".join(f"&#{ord(sign)};" if sign in _MARKUP else sign for sign in visible(" ".join(text.split("\n"))))


def marks(plan: Plan) -> Iterator[str]:
    """What GitHub shows beside the lines of the manifests."""
    for fault in plan.faults:
        yield _mark("error", fault.origin, fault.message)
    for step in plan.steps:
        if step.verb in (Verb.REFUSE, Verb.FAIL):
            level = "error" if step.verb is Verb.FAIL else "warning"
            yield _mark(level, step.origin, f"{step.key}: {step.message}")


def _mark(level: str, origin: Origin | None, message: str) -> str:
    at_line = origin is not None and origin.file != STDIN_NAME
    where = f" file={_property(origin.file)},line={origin.line}" if origin and at_line else ""
    return f"::{level}{where}::{_data(message)}"


def _data(text: str) -> str:
    return visible(text).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
