"""What the demo shows: headings, the commands that a user would type, and the objects while they change.

On a terminal the table of objects is redrawn in place; elsewhere each change is one line.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

POLL: Final = 0.3
TIMEOUT: Final = 60.0
MESSAGE_WIDTH: Final = 60

Body = dict[str, Any]


class DemoFailed(Exception):
    """A step did not come true; the message says which, and what is shown instead."""


@dataclass(frozen=True)
class Row:
    """One object, as `kubectl get coder` and its Ready condition show it."""

    kind: str
    name: str
    ready: str
    reason: str
    message: str

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Row:
        conditions = body.get("status", {}).get("conditions", [])
        ready: Body = next((item for item in conditions if item["type"] == "Ready"), {})
        current = ready.get("observedGeneration") == body["metadata"]["generation"]
        return cls(
            body["kind"],
            body["metadata"]["name"],
            ready.get("status", "Unknown") if current else "Unknown",
            ready.get("reason", "Pending") if current else "Pending",
            ready.get("message", ""),
        )


class Screen:
    """Writes to standard output; `objects` reads all objects of the demo."""

    def __init__(self, console: Console, objects: Callable[[], list[Body]]) -> None:
        self._console = console
        self._objects = objects
        self._steps: list[tuple[str, float]] = []
        self._shown: set[Row] = set()

    def heading(self, text: str) -> None:
        self._console.print(f"\n[bold cyan]■ {text}[/]")

    def say(self, text: str) -> None:
        self._console.print(f"  {text}")

    def command(self, text: str) -> None:
        """What is done now, as a user would type it."""
        self._console.print(f"  [dim]$[/] [bold]{escape(text)}[/]")

    def follow(self, what: str, come_true: Callable[[list[Body]], bool]) -> None:
        """Show the objects until `come_true`. Raises `DemoFailed` after a minute."""
        started = time.monotonic()
        bodies = self._objects()
        with Live(console=self._console, auto_refresh=False, transient=True) as live:
            while not come_true(bodies):
                if time.monotonic() - started > TIMEOUT:
                    raise DemoFailed(f"{what}: not within {TIMEOUT:.0f} s; the objects say:\n{_lines(bodies)}")
                self._draw(live, bodies)
                time.sleep(POLL)
                bodies = self._objects()
        if self._console.is_terminal:
            self._console.print(_table(bodies))
        else:
            self._print_changes(bodies)
        self._passed(what, started)

    def expect(self, what: str, come_true: Callable[[], bool]) -> None:
        """Wait until `come_true`, which asks Coder rather than Kubernetes. Raises `DemoFailed` after a minute."""
        started = time.monotonic()
        while not come_true():
            if time.monotonic() - started > TIMEOUT:
                raise DemoFailed(f"{what}: not within {TIMEOUT:.0f} s")
            time.sleep(POLL / 3)
        self._passed(what, started)

    def summary(self) -> None:
        table = Table(title="What you have seen", title_justify="left", title_style="bold")
        table.add_column("")
        table.add_column("step")
        table.add_column("seconds", justify="right")
        for what, seconds in self._steps:
            table.add_row("[green]✔[/]", what, f"{seconds:.1f}")
        self._console.print(table)

    def _passed(self, what: str, started: float) -> None:
        seconds = time.monotonic() - started
        self._steps.append((what, seconds))
        self._console.print(f"  [green]✔[/] {what} [dim]({seconds:.1f} s)[/]")

    def _draw(self, live: Live, bodies: list[Body]) -> None:
        if self._console.is_terminal:
            live.update(_table(bodies), refresh=True)
        else:
            self._print_changes(bodies)

    def _print_changes(self, bodies: list[Body]) -> None:
        rows = [Row.of(body) for body in bodies]
        for row in rows:
            if row not in self._shown:
                self._console.print(f"    {_line(row)}", markup=False)
        self._shown = set(rows)


def _table(bodies: list[Body]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("  kind")
    for column in ("name", "ready", "reason", "message"):
        table.add_column(column, overflow="ellipsis", no_wrap=True)
    colours = {"True": "green", "False": "yellow"}
    for row in (Row.of(body) for body in bodies):
        colour = colours.get(row.ready, "dim")
        message = escape(row.message[:MESSAGE_WIDTH])
        table.add_row(f"  {row.kind}", row.name, f"[{colour}]{row.ready}[/]", row.reason, f"[dim]{message}[/]")
    return table


def _line(row: Row) -> str:
    return f"{row.kind:16} {row.name:14} {row.ready:8} {row.reason:22} {row.message}"


def _lines(bodies: list[Body]) -> str:
    return "\n".join(_line(Row.of(body)) for body in bodies)
