"""`coder-enterprise export`: a live Coder as manifests that the operator adopts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from coder_enterprise.cli import screen
from coder_enterprise.cli.cluster import fail, guarded, told
from coder_enterprise.cli.planning import text_of

if TYPE_CHECKING:
    from coder_enterprise.planner.exporting import Export, Selection
    from coder_enterprise.planner.folder import Changes
    from coder_enterprise.planner.terraform import Managed

MAX_LISTED: Final = 20


def _folder(text: str) -> Path:
    """Nothing, as an empty variable leaves it, is not the folder in which the command runs."""
    if not text:
        raise typer.BadParameter("it has no name; . is this folder")
    return Path(text)


def run(
    command: typer.Context,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The folder to write to.", parser=_folder)
    ],
    kinds: Annotated[
        str, typer.Option(metavar="KIND,…", help="Only these kinds, such as CoderGroup,CoderTemplateACL.")
    ] = "",
    organization: Annotated[str, typer.Option(help="Only what belongs to this organization, by name.")] = "",
    select: Annotated[
        str, typer.Option(metavar="PATTERN", help="Only things whose name in Coder matches, such as 'team-*'.")
    ] = "",
    from_terraform: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="Only what Terraform manages: a state of the coderd provider, or what `terraform show -json` says.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over files that a person has edited.")] = False,
) -> None:
    """Write what a live Coder has as manifests, one file an object, which the operator adopts without a change.

    Reads CODER_URL and CODER_SESSION_TOKEN. Repeat it to follow Coder: files that nobody has edited are written anew,
    and edited ones are kept, unless Coder has changed there too.

    Examples:

      coder-enterprise export -o coder/

      coder-enterprise export -o coder/ --kinds CoderGroup,CoderTemplateACL --organization acme

      coder-enterprise export -o coder/ && coder-enterprise plan -f coder/

      coder-enterprise export -o coder/ --from-terraform terraform.tfstate
    """
    from coder_enterprise.planner import folder
    from coder_enterprise.planner.exporting import Selection
    from coder_enterprise.planner.terraform import ids_of

    managed = None if from_terraform is None else _state(command, from_terraform)
    ids = None if managed is None else ids_of(managed)
    wanted = Selection(_kinds(kinds), organization, select, ids)
    with told(command):
        beside = folder.exported(output)
    export = guarded(command, lambda: _export(wanted, beside))
    with told(command), folder.claimed(output):
        changes = folder.compare(output, export.files, export.standing)
        if changes.conflicts and not force:
            _refuse(output, changes)
        folder.write(output, export.files, changes, force=force)
    _tell(output, export, changes)
    if managed is not None:
        _tell_releases(managed, export)


def _state(command: typer.Context, path: Path) -> list[Managed]:
    from coder_enterprise.planner.terraform import StateError, read_state

    try:
        return read_state(text_of(command, path))
    except StateError as error:
        fail(command, f"{path}: {error}")


def _tell_releases(managed: list[Managed], export: Export) -> None:
    from coder_enterprise.planner.terraform import releases

    typer.echo("\nOnce the objects are Ready, Terraform lets go of them with:")
    for line in releases(managed, frozenset(export.ids)):
        typer.echo(f"  {screen.clean(line)}")


def _kinds(given: str) -> frozenset[str]:
    from coder_enterprise.kinds.registry import MANAGED_KINDS

    known = {kind.names.kind.lower(): kind.names.kind for kind in MANAGED_KINDS}
    known |= {name.lower(): kind.names.kind for kind in MANAGED_KINDS for name in (kind.names.plural, kind.names.short)}
    names = [name.strip() for name in given.split(",") if name.strip()]
    for name in names:
        if name.lower() not in known:
            kinds = ", ".join(kind.names.kind for kind in MANAGED_KINDS)
            raise typer.BadParameter(f"there is no kind {name}; there are {kinds}", param_hint="--kinds")
    return frozenset(known[name.lower()] for name in names)


async def _export(selection: Selection, beside: frozenset[str]) -> Export:
    from coder_enterprise.planner.exporting import export
    from coder_enterprise.planner.servers import environment_context

    context = environment_context(os.environ)
    try:
        with screen.progress("Exporting") as progress:
            return await export(context, selection, progress, beside)
    finally:
        await context.client.close()


def _refuse(output: Path, changes: Changes) -> None:
    typer.echo("coder-enterprise export: edited here, and changed in Coder too:", err=True)
    for path in changes.conflicts[:MAX_LISTED]:
        typer.echo(f"  {output / path}", err=True)
    if len(changes.conflicts) > MAX_LISTED:
        typer.echo(f"  and {len(changes.conflicts) - MAX_LISTED} more", err=True)
    typer.echo("Nothing was written. Commit or undo your edits, or write over them with --force.", err=True)
    raise typer.Exit(1)


def _tell(output: Path, export: Export, changes: Changes) -> None:
    for kind, count in export.counts.items():
        typer.echo(f"{count:>6} {kind}")
    for note in export.notes:
        typer.echo(screen.clean(note))
    typer.echo(
        f"{output}: {len(changes.write)} written, {len(changes.remove)} removed, {changes.unchanged} unchanged, "
        f"{len(changes.kept)} edited by you and kept"
    )
    typer.echo("\nSecrets that the manifests refer to are made with:")
    for command in export.secrets.values():
        typer.echo(f"  {command}")
