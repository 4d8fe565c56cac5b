"""The commands and their help. What a command does is imported when it runs, so that `--help` is instant."""

from __future__ import annotations

from typing import Annotated

import typer

from coder_enterprise import __version__
from coder_enterprise.cli import license, operator, probe, release, server, wsproxy  # noqa: A004

app = typer.Typer(
    name="coder-enterprise",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Coder's enterprise settings as Kubernetes objects, and an Enterprise API to run them against.",
)
app.command("operator")(operator.run)
app.add_typer(server.app, name="server")
app.add_typer(license.app, name="license")
app.command("wsproxy")(wsproxy.run)
app.command("release")(release.run)
app.command("probe")(probe.run)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"coder-enterprise {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """See each command's --help for its options and examples."""


def main() -> None:
    app()
