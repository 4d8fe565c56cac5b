"""`--slowest N`: which tests take longest, with what their fixtures take. A plugin that `tests/conftest.py` loads.

What tests share is counted with the first of them.
"""

from __future__ import annotations

from collections import defaultdict

import pytest

_PHASES = ("setup", "call", "teardown")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slowest", type=int, default=0, metavar="N", help="list the slowest N tests, fixtures included")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    wanted: int = config.getoption("slowest")
    if wanted:
        terminalreporter.section(f"slowest {wanted} tests, in seconds")
        terminalreporter.write_line(_row("total", *_PHASES, "test"))
        for test, seconds in slowest(terminalreporter.stats)[:wanted]:
            figures = (sum(seconds.values()), *(seconds[phase] for phase in _PHASES))
            terminalreporter.write_line(_row(*(f"{figure:.2f}" for figure in figures), test))


def slowest(stats: dict[str, list[object]]) -> list[tuple[str, dict[str, float]]]:
    """Seconds by phase of each test, the slowest test first, from what pytest keeps of a run."""
    took: dict[str, dict[str, float]] = defaultdict(lambda: dict.fromkeys(_PHASES, 0.0))
    for report in (report for reports in stats.values() for report in reports):
        if isinstance(report, pytest.TestReport):
            took[report.nodeid][report.when or "call"] += report.duration
    return sorted(took.items(), key=lambda each: -sum(each[1].values()))


def _row(*words: str) -> str:
    *figures, test = words
    return "".join(f"{figure:>9}" for figure in figures) + f"  {test}"
