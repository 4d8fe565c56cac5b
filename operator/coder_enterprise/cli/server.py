"""`coder-enterprise server`: runs the API server until it is told to end."""

from __future__ import annotations

import typer


def run() -> None:
    """Run the API server."""
    raise typer.Exit(2)
