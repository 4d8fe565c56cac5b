"""What people see: aligned without colour, and harmless whatever a cluster says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from coder_enterprise.cli import screen

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def plain(*lines: str) -> list[str]:
    import re

    return [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]


def test_columns_are_aligned_and_the_last_is_not_padded() -> None:
    lines = plain(*screen.table(("NAME", "READY", "WHY"), [("a", "True", ""), ("longer", "False", "because")]))
    assert lines == ["NAME    READY  WHY", "a       True   -", "longer  False  because"]


def test_the_last_column_is_cut_where_the_terminal_ends() -> None:
    lines = plain(*screen.table(("NAME", "WHY"), [("a", "x" * 100)], limit=40))
    assert len(lines[1]) == 40
    assert lines[1].endswith("…")


def test_colour_does_not_move_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("CLICOLOR_FORCE", "1")
    painted = list(screen.table(("READY", "NAME"), [("True", "a"), ("Unknown", "b")]))
    assert "\x1b[" in painted[1]
    assert plain(*painted) == ["READY    NAME", "True     a", "Unknown  b"]


def test_without_colour_lines_have_nothing_but_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert [*screen.table(("READY",), [("True",)]), screen.heading("x")] == ["READY", "True", "x"]


def test_what_a_cluster_says_cannot_steer_the_terminal() -> None:
    assert screen.clean("evil\x1b[2J\r\nline") == "evil [2J  line"


@pytest.mark.parametrize(
    ("age", "text"),
    [(0.4, "0s"), (59, "59s"), (60, "1m"), (3_599, "59m"), (7_200, "2h"), (86_400 * 3, "3d"), (-5, "0s")],
)
def test_ages_are_told_as_kubectl_does(age: float, text: str) -> None:
    assert screen.ago(NOW - timedelta(seconds=age), NOW) == text


def test_what_never_happened_has_no_age() -> None:
    assert screen.ago(None, NOW) == "-"


@pytest.mark.parametrize(
    ("environment", "colored"),
    [
        ({}, None),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": ""}, None),
        ({"CLICOLOR_FORCE": "1"}, True),
        ({"CLICOLOR_FORCE": "0"}, None),
        ({"NO_COLOR": "1", "CLICOLOR_FORCE": "1"}, False),
        ({"CLICOLOR": "0"}, False),
        ({"TERM": "dumb"}, False),
    ],
)
def test_colour_is_as_the_environment_asks(
    environment: dict[str, str], colored: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "CLICOLOR_FORCE", "CLICOLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert screen.colored() is colored


def test_long_work_shows_how_far_it_is_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(screen, "PATIENCE", -1.0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with screen.progress("Planning") as told:
        told(1, 2)
    assert "Planning" in capsys.readouterr().err


@pytest.mark.parametrize(("patience", "terminal"), [(60.0, True), (-1.0, False)], ids=["short work", "no terminal"])
def test_nothing_is_shown_of_short_work_or_where_nobody_looks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], patience: float, terminal: bool
) -> None:
    monkeypatch.setattr(screen, "PATIENCE", patience)
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    with screen.progress("Planning") as told:
        told(1, 2)
    assert capsys.readouterr().err == ""
