"""What plans say of an object, in words: a line for what would happen, and lines for why and how. Pure functions.

Used by all forms of output that people read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from typing import Final

from coder_enterprise.kinds.machinery.changes import Action, Change
from coder_enterprise.kinds.machinery.resource import Key
from coder_enterprise.kinds.machinery.texts import clipped
from coder_enterprise.planner.plans import WORDS, Plan, Step, Verb

SIGNS: Final = {
    Verb.CREATE: "+",
    Verb.CHANGE: "~",
    Verb.ADOPT: ">",
    Verb.DELETE: "-",
    Verb.WAIT: "…",
    Verb.REFUSE: "!",
    Verb.FAIL: "?",
    Verb.UNCHANGED: " ",
}
MAX_LINE: Final = 200
"""Characters of a value: whoever needs more of it reads the JSON."""


def groups(plan: Plan) -> Iterator[tuple[str, str, list[Step]]]:
    """Deployment, kind, and the steps of both that say something."""
    told = [step for step in plan.steps if step.verb is not Verb.UNCHANGED or step.changes]
    told.sort(key=lambda step: (_deployment(plan, step), step.key))
    for (deployment, kind), steps in groupby(told, key=lambda step: (_deployment(plan, step), step.key.kind)):
        yield deployment, kind, list(steps)


def _deployment(plan: Plan, step: Step) -> str:
    if step.deployment is None:
        return ""
    url = plan.servers.get(step.deployment)
    return str(step.deployment) + (f" at {url}" if url else "")


def headline(step: Step) -> str:
    match step.verb:
        case Verb.WAIT | Verb.REFUSE | Verb.FAIL:
            return f"{WORDS[step.verb]}: {step.reason}" if step.reason else WORDS[step.verb]
        case Verb.UNCHANGED:
            return "not applied"
        case _:
            return f"{step.verb} {clipped(step.title, MAX_LINE)}"


def details(step: Step) -> Iterator[str]:
    for change in step.changes:
        if change.action is not Action.CREATE:
            yield _change(change)
    if step.message:
        yield step.message
    if step.pending:
        told = [_awaited(name, step.promised.get(name)) for name in step.pending]
        yield f"waits for {', '.join(told)}"


def _awaited(name: str, made_by: Key | None) -> str:
    return f"{name} (made by {made_by})" if made_by else name


def _change(change: Change) -> str:
    match change.action:
        case Action.ADD:
            return f"{change.path}: add {_value(change.after)}"
        case Action.REMOVE:
            return f"{change.path}: remove {_value(change.before)}"
        case _:
            return f"{change.path}: {_value(change.before)} -> {_value(change.after)}"


def _value(value: str | int | None) -> str:
    """On one line, and without what a terminal would take for a command."""
    if value is None:
        return "none"
    text = str(value) if not isinstance(value, str) or _is_plain(value) else json.dumps(value, ensure_ascii=False)
    return clipped(visible(text), MAX_LINE)


def visible(text: str) -> str:
    return "".join(character if character.isprintable() else f"\\u{ord(character):04x}" for character in text)


def _is_plain(text: str) -> bool:
    return bool(text) and text.isprintable() and text == text.strip()
