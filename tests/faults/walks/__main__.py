"""`make walks`: says in one line what is wrong with what it was asked for, and else has pytest walk.

It reads SEEDS, FROM, STEPS and WALK from the environment; its arguments are pytest's.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.faults.walks.steps import Step, read
from tests.faults.walks.walk import REPAIRS
from tests.faults.walks.world import World

WALKS: Final = "tests/faults/test_walks.py"
MOST: Final = {"SEEDS": 1_000_000, "FROM": 1_000_000_000, "STEPS": 500}
"""Of steps, hypothesis draws fewer than it is asked for when there are more."""
USUAL: Final = {"SEEDS": 100, "FROM": 1, "STEPS": 25}


class Nonsense(Exception):
    """What was asked for cannot be done; says why."""


def number(asked: Mapping[str, str], name: str) -> int:
    text = asked.get(name) or str(USUAL[name])
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:12]) <= MOST[name]):
        raise Nonsense(f"{name}={text}: it is a number from 1 to {MOST[name]}")
    return int(text)


def walk(name: str) -> str:
    """The file of that name, whose every line is a step."""
    try:
        steps = read(Path(name))
    except OSError as error:
        raise Nonsense(f"WALK={name}: {error.strerror}; walks that failed are in .cache/walks") from None
    except (ValueError, TypeError):
        raise Nonsense(f"WALK={name}: not each of its lines is a step such as {Step('delete', ('red',))}") from None
    unknown = [step.do for step in steps if step.do not in REPAIRS and not callable(getattr(World, str(step.do), None))]
    if unknown or not steps:
        raise Nonsense(f"WALK={name}: {f'there is no step {unknown[0]}' if unknown else 'there is no step in it'}")
    return name


def settings(asked: Mapping[str, str]) -> dict[str, str]:
    """What the tests read. Raises `Nonsense`."""
    first, seeds, steps = (number(asked, name) for name in ("FROM", "SEEDS", "STEPS"))
    files = [walk(name) for name in asked.get("WALK", "").split()]
    return {
        "WALK_FROM": str(first),
        "WALK_TO": str(first + seeds - 1),
        "WALK_STEPS": str(steps),
        "WALK": " ".join(files),
    }


def main() -> None:
    try:
        found = settings(os.environ)
    except Nonsense as error:
        print(f"make walks: {error}", file=sys.stderr)
        sys.exit(2)
    which = "once_found" if found["WALK"] else "random"
    words = ["-m", "pytest", "--verbose", WALKS, "-k", which, *sys.argv[1:]]
    os.execve(sys.executable, [sys.executable, *words], {**os.environ, **found})


if __name__ == "__main__":
    main()
