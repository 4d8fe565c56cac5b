"""What the commands show people: aligned lines that are as clear without colour, and times as kubectl has them.

Used by the commands that look at a cluster. What comes from a cluster cannot steer the terminal.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Final, TextIO

import typer

if TYPE_CHECKING:
    from rich.progress import Progress

COLORS: Final = {
    "True": "green",
    "ok": "green",
    "Unknown": "yellow",
    "Warning": "yellow",
    "warning": "yellow",
    "False": "red",
    "failure": "red",
    "Open": "red",
}
"""Of whole cells."""
NONE: Final = "-"
PATIENCE: Final = 2.0
"""Seconds of work for which nobody needs to be told how far it is."""
_GAP: Final = "  "
_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


def colored() -> bool | None:
    """By NO_COLOR, CLICOLOR_FORCE and CLICOLOR (bixense.com/clicolors); None leaves it to whether it is a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("CLICOLOR_FORCE", "0") != "0":
        return True
    plain = os.environ.get("CLICOLOR") == "0" or os.environ.get("TERM") == "dumb"
    return False if plain else None


def show(lines: Iterable[str]) -> None:
    typer.echo("\n".join(lines), color=colored())


def say(text: str) -> None:
    """Beside the output: to standard error."""
    typer.echo(text, err=True, color=colored())


def is_terminal(stream: TextIO | None) -> bool:
    """None is one that the caller has closed."""
    return stream is not None and stream.isatty()


def width() -> int | None:
    """Of the terminal; None where the output goes elsewhere, and nothing is cut."""
    return shutil.get_terminal_size().columns if is_terminal(sys.stdout) else None


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, limit: int | None = None) -> Iterator[str]:
    """Lines, the first with the names of the columns; the last column is cut at `limit` characters of the line."""
    cells = [tuple(head), *(tuple(map(clean, row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for number, row in enumerate(cells):
        yield _line(row, widths, limit, bold=number == 0)


def pairs(facts: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Names and values, aligned."""
    size = max((len(name) for name, _ in facts), default=0)
    return (f"{clean(name).ljust(size)}{_GAP}{clean(value)}" for name, value in facts)


def _line(row: Sequence[str], widths: Sequence[int], limit: int | None, *, bold: bool) -> str:
    *before, last = row
    if limit is not None:
        last = cut(last, max(20, limit - sum(each + len(_GAP) for each in widths[:-1])))
    padded = [_paint(cell, each, bold=bold) for cell, each in zip(before, widths, strict=False)]
    return _GAP.join([*padded, _paint(last, 0, bold=bold)]).rstrip()


def _paint(cell: str, size: int, *, bold: bool) -> str:
    text = cell.ljust(size)
    if bold:
        return heading(text)
    return typer.style(text, fg=COLORS[cell]) if cell in COLORS and colored() is not False else text


def heading(text: str) -> str:
    return text if colored() is False else typer.style(text, bold=True)


def cut(text: str, size: int) -> str:
    return text if len(text) <= size else text[: size - 1] + "…"


def clean(text: str) -> str:
    """One line, without characters that a terminal would obey; `-` for nothing."""
    return "".join(each if each.isprintable() else " " for each in text).strip() or NONE


def ago(moment: datetime | None, now: datetime) -> str:
    """Such as 45s, 3m, 5h or 12d; `-` for never."""
    if moment is None:
        return NONE
    seconds = max(0, int((now - moment).total_seconds()))
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return "0s"


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Shows how far long work is, to be told done and of how many: on a terminal alone, and only after `PATIENCE`."""
    begun = time.monotonic()
    bar: Progress | None = None

    def told(done: int, of: int) -> None:
        nonlocal bar
        if bar is None:
            if time.monotonic() - begun < PATIENCE or not is_terminal(sys.stderr):
                return
            from rich.console import Console
            from rich.progress import Progress

            bar = Progress(console=Console(stderr=True, no_color=colored() is False), transient=True)
            bar.add_task(what, total=of)
            bar.start()
        bar.update(bar.task_ids[0], completed=done, total=of)

    try:
        yield told
    finally:
        if bar is not None:
            bar.stop()
