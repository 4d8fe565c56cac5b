"""The commands and their help. What a command does is imported when it runs, so that `--help` is instant."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from coder_enterprise.cli import (
    acts,
    apply,
    create,
    diff,
    doctor,
    events,
    export,
    get,
    license,  # noqa: A004
    operator,
    page,
    plan,
    probe,
    release,
    server,
    status,
    wsproxy,
)
from coder_enterprise.process.start import STAYING

app = typer.Typer(
    name="coder-enterprise",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Coder's enterprise settings as Kubernetes objects, and an Enterprise API to run them against.",
)
app.command("status")(status.run)
app.command("get")(get.run)
app.command("events")(events.run)
app.command("page")(page.run)
app.command("doctor")(doctor.run)
app.command("check", hidden=True)(doctor.run)
app.command("reconcile")(acts.reconcile)
app.command("suspend")(acts.suspend)
app.command("resume")(acts.resume)
app.command("force-detach")(acts.force_detach)
app.command("plan")(plan.run)
app.command("diff")(diff.run)
app.command("apply")(apply.run)
app.command("export")(export.run)
app.command("operator")(operator.run)
app.command("wsproxy")(wsproxy.run)
app.command("release")(release.run)
app.command("probe")(probe.run)
app.add_typer(create.app, name="create")
app.add_typer(server.app, name="server")
app.add_typer(license.app, name="license")


def _version(wanted: bool) -> None:
    if wanted:
        from coder_enterprise import __version__

        typer.echo(f"coder-enterprise {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show where in the program an error comes from, before its one line.")
    ] = False,
) -> None:
    """See each command's --help for its options and examples."""


def main() -> None:
    """The program, under the name by which it was started: kubectl runs `kubectl-coder` for `kubectl coder`."""
    started_as = os.path.basename(sys.argv[0])  # noqa: PTH119 - pathlib takes time to import
    try:
        app(prog_name="kubectl coder" if started_as.startswith("kubectl-coder") else None)
    except OSError as error:
        _end(f"{started_as}: {error}")  # such as a disk that is full, where the output goes
    except Exception as error:  # a fault of this program, where no command has caught it
        if sys.argv[1:2] and sys.argv[1] in STAYING:
            raise  # into its log
        _end(f"{started_as}: {type(error).__name__}: {error} (a fault of this command; --debug before it shows where)")


def _end(line: str) -> None:
    """Called while an error is being handled."""
    if "--debug" in sys.argv:
        raise
    typer.echo(line, err=True)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left of the output would fail anew at the very end
    sys.exit(1)
