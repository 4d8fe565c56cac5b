"""`coder-enterprise probe`: asks whether something answers; what `helm test` runs in the cluster."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Annotated

import typer


def run(
    url: Annotated[list[str], typer.Argument(help="An http or https URL; several are asked one after the other.")],
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds that each has to answer.")] = 10.0,
) -> None:
    """Ask each URL, and fail unless all of them answer well.

    The exit code is 0 when every answer has a status below 300, otherwise 1.

    Examples:

    \b
      coder-enterprise probe http://127.0.0.1:8081/readyz \\
        http://127.0.0.1:3000/healthz
    """
    answers = {each: _ask(each, timeout) for each in url}
    for each, problem in answers.items():
        typer.echo(f"{each}: {problem or 'ok'}")
    if any(answers.values()):
        raise typer.Exit(1)


def _ask(url: str, timeout: float) -> str:
    """What is wrong; "" when nothing is."""
    if not url.startswith(("http://", "https://")):
        return "not an http or https URL"
    try:
        with urllib.request.urlopen(url, timeout=timeout):  # noqa: S310 - the scheme has been looked at
            return ""
    except urllib.error.HTTPError as error:
        return f"status {error.code}"
    except (OSError, ValueError) as error:
        return str(error)
