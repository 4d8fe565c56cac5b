"""What differs between spec and Coder, as lines that are taken away and added. Used by the page of an object."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any


@dataclass(frozen=True)
class Line:
    sign: str
    """"-": Coder has it; "+": spec declares it; "": both."""
    text: str


@dataclass(frozen=True)
class Difference:
    path: str
    """The field of spec."""
    lines: tuple[Line, ...]


def differences(changes: Iterable[Mapping[str, Any]]) -> list[Difference]:
    """Of `status.pendingChanges`; neighbours of the same field are one."""
    return [
        Difference(path, tuple(line for change in group for line in _lines(change.get("from"), change.get("to"))))
        for path, group in groupby(changes, key=lambda change: str(change.get("path", "")))
    ]


def _lines(before: object, after: object) -> Iterator[Line]:
    """A value that is "" is one empty line, and one that is not there is none."""
    old, new = ([] if value is None else str(value).split("\n") for value in (before, after))
    matcher = difflib.SequenceMatcher(a=old, b=new, autojunk=False)
    for tag, start, end, other_start, other_end in matcher.get_opcodes():
        if tag == "equal":
            yield from (Line("", text) for text in old[start:end])
        else:
            yield from (Line("-", text) for text in old[start:end])
            yield from (Line("+", text) for text in new[other_start:other_end])
