"""`python -m tools.rooms [folder…]`: the map of the rooms, called by `make rooms`.

For each room the number of modules and lines, the longest module, those above the limit that CONTRIBUTING sets, and how
long the bodies of functions are, without their docstrings. What is generated does not count. It only tells: nothing
fails by it.
"""

from __future__ import annotations

import argparse
import ast
import math
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1] / "operator" / "coder_enterprise"
LIMIT: Final = 300
"""Lines of a module."""
GENERATED: Final = "_pb2.py"

Body = tuple[int, str]
"""Lines, and where."""


@dataclass
class Room:
    modules: list[Body] = field(default_factory=list)
    bodies: list[Body] = field(default_factory=list)

    @property
    def row(self) -> tuple[str, ...]:
        lengths = sorted(length for length, _ in self.bodies) or [0]
        longest, where = max(self.modules)
        above = sum(1 for length, _ in self.modules if length > LIMIT)
        p90 = lengths[math.ceil(len(lengths) * 0.9) - 1]
        lines = sum(length for length, _ in self.modules)
        return tuple(map(str, (len(self.modules), lines, longest, above, p90, lengths[-1], where)))


def bodies(source: str, where: str) -> Iterator[Body]:
    """Of all functions and methods."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            said = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
            length = (node.end_lineno or 0) - said[0].lineno + 1 if said else 0
            yield length, f"{where}:{node.lineno} {node.name}"


def rooms(folders: Sequence[Path]) -> dict[str, Room]:
    """By the folder that a module is in."""
    found: defaultdict[str, Room] = defaultdict(Room)
    for path in sorted(path for folder in folders for path in folder.rglob("*.py")):
        if path.name.endswith(GENERATED):
            continue
        source, where = path.read_text(), str(path.relative_to(ROOT))
        room = found[str(path.parent.relative_to(ROOT))]
        room.modules.append((len(source.splitlines()), where))
        room.bodies += bodies(source, where)
    return found


def show(found: dict[str, Room]) -> str:
    every = Room([item for room in found.values() for item in room.modules], [])
    every.bodies = [item for room in found.values() for item in room.bodies]
    head = ("room", "modules", "lines", "longest", f"above {LIMIT}", "body p90", "body max", "longest module")
    rows = [head, *((name, *room.row) for name, room in found.items()), ("all", *every.row)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    above = [f"{length:5} {where}" for length, where in sorted(every.modules, reverse=True) if length > LIMIT]
    longest = [f"{length:5} {where}" for length, where in sorted(every.bodies, reverse=True)[:10]]
    return "\n".join([*table, "", f"Modules above {LIMIT} lines:", *above, "", "Longest bodies:", *longest])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.rooms", description="The map of the rooms.")
    parser.add_argument("folder", nargs="*", type=Path, help="below operator/coder_enterprise; default: all of it")
    folders = [ROOT / folder for folder in parser.parse_args().folder] or [ROOT]
    print(show(rooms(folders)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
