"""docs/reference/faults.md: which faults are injected, by which tests, and what must be true then.

Read from the decorators `fault` of the tests (`tests/support/faults.py`), without importing them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).parents[2] / "tests"
DECORATOR: Final = "fault"
FIELDS: Final = ("name", "injected", "verdict")
FIRST: Final = "faults"
"""The folder whose tests are about nothing else."""

_INTRODUCTION: Final = """\
# Faults

Made by `make generate` from the tests that are named here, which a fault is noted on. Each of them injects the fault,
on real processes where nothing else is said, and fails unless what the third column says is true. `make test` runs
them.
"""


@dataclass(frozen=True)
class Noted:
    """A fault, as a test notes it."""

    name: str
    injected: str
    verdict: str
    test: str


def faults() -> str:
    """The page."""
    paths = sorted(TESTS.rglob("test_*.py"), key=lambda path: (path.relative_to(TESTS).parts[0] != FIRST, path))
    return "\n".join([_INTRODUCTION, *(section for path in paths if (section := _section(path)))])


def _section(path: Path) -> str:
    text = path.read_text()
    if DECORATOR not in text:
        return ""
    module = ast.parse(text)
    noted = list(_noted(module))
    if not noted:
        return ""
    name = path.relative_to(TESTS.parent).as_posix()
    about = (ast.get_docstring(module) or "").partition("\n\n")[0].replace("\n", " ")
    table = "\n".join(["| fault | injected | verdict | test |", "| --- | --- | --- | --- |", *map(_row, noted)])
    return f"## {name}\n\n{about}\n\n{table}\n"


def _noted(module: ast.Module) -> Iterator[Noted]:
    for test in module.body:
        if not isinstance(test, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for decorator in test.decorator_list:
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == DECORATOR:
                said = {keyword.arg: ast.literal_eval(keyword.value) for keyword in decorator.keywords}
                yield Noted(**{field: said[field] for field in FIELDS}, test=test.name)


def _row(noted: Noted) -> str:
    test = noted.test.removeprefix("test_").replace("_", " ")
    return f"| {' | '.join(map(_cell, (noted.name, noted.injected, noted.verdict, test)))} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
