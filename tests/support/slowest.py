"""`--slowest N`: which tests and rooms take longest, with fixtures. A plugin that `tests/conftest.py` loads.

What tests share is counted with the first of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import pytest

Took = tuple[str, dict[str, float]]

_PHASES = ("setup", "call", "teardown")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slowest", type=int, default=0, metavar="N", help="list the slowest N tests, fixtures included")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    wanted: int = config.getoption("slowest")
    if wanted:
        tests = slowest(terminalreporter.stats)
        for what, rows in (("tests", tests), ("modules", summed(tests, _module)), ("rooms", summed(tests, _room))):
            _show(terminalreporter, f"slowest {wanted} {what}, in seconds", rows[:wanted])


def _show(reporter: pytest.TerminalReporter, title: str, rows: list[Took]) -> None:
    reporter.section(title)
    reporter.write_line(_row("total", *_PHASES, ""))
    for name, seconds in rows:
        figures = (sum(seconds.values()), *(seconds[phase] for phase in _PHASES))
        reporter.write_line(_row(*(f"{figure:.2f}" for figure in figures), name))


def slowest(stats: dict[str, list[object]]) -> list[Took]:
    """Seconds by phase of each test, the slowest test first, from what pytest keeps of a run."""
    took: dict[str, dict[str, float]] = defaultdict(lambda: dict.fromkeys(_PHASES, 0.0))
    for report in (report for reports in stats.values() for report in reports):
        if isinstance(report, pytest.TestReport):
            took[report.nodeid][report.when or "call"] += report.duration
    return _sorted(took)


def summed(tests: list[Took], name: Callable[[str], str]) -> list[Took]:
    """What those of one name took together."""
    took: dict[str, dict[str, float]] = defaultdict(lambda: dict.fromkeys(_PHASES, 0.0))
    for test, seconds in tests:
        for phase in _PHASES:
            took[name(test)][phase] += seconds[phase]
    return _sorted(took)


def _sorted(took: dict[str, dict[str, float]]) -> list[Took]:
    return sorted(took.items(), key=lambda each: -sum(each[1].values()))


def _module(test: str) -> str:
    return test.split("::")[0]


def _room(test: str) -> str:
    return "/".join(test.split("::")[0].split("/")[:2])


def _row(*words: str) -> str:
    *figures, test = words
    return "".join(f"{figure:>9}" for figure in figures) + f"  {test}"
