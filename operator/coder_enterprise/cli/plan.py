"""`coder-enterprise plan`: what applying manifests would change in Coder, without writing anything."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from coder_enterprise.cli import screen
from coder_enterprise.cli.cluster import fail, guarded
from coder_enterprise.cli.options import Context, Kubeconfig
from coder_enterprise.cli.planning import (
    Files,
    Live,
    Namespace,
    Output,
    TokenFromEnv,
    access_of,
    manifests_of,
    objects_of,
    text_of,
)

if TYPE_CHECKING:
    from coder_enterprise.planner.manifests import Manifests
    from coder_enterprise.planner.plans import Plan, Step

CHANGES: Final = 2
"""The exit code of --exit-code when something would change."""


def run(
    command: typer.Context,
    filename: Files,
    namespace: Namespace = "default",
    output: Annotated[Output, typer.Option("--output", "-o", help="What to print.")] = Output.TEXT,
    exit_code: Annotated[
        bool,
        typer.Option(
            "--exit-code", help="End with 0 for nothing to do, 2 for changes, 1 for an error and what is refused."
        ),
    ] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask no server: schemas, rules, references and conflicts alone.")
    ] = False,
    token_from_env: TokenFromEnv = None,
    live: Live = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="With --live or --former: also what is no longer declared.")
    ] = False,
    former: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="A plan that --output json has printed, to prune against."),
    ] = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Show what applying manifests would change in Coder. Nothing is written.

    Coder is reached by the CoderDeployments among the manifests, when their Secrets are there too or --token-from-env
    gives their tokens; else by CODER_URL and CODER_SESSION_TOKEN.

    Examples:

      coder-enterprise plan -f coder/

      kustomize build overlays/prod | coder-enterprise plan -f - --exit-code

      helm template . | coder-enterprise plan -f - --output markdown > comment.md

      coder-enterprise plan -f coder/ --token-from-env coder=CODER_TOKEN

      coder-enterprise plan -f coder/ --live --prune
    """
    if prune and not (live or former):
        raise typer.BadParameter("needs --live or --former, which know what there was", param_hint="--prune")
    access = access_of(command, token_from_env)
    manifests = manifests_of(command, filename, namespace)
    since = _gone_since(command, former, manifests) if prune and former else []

    async def work() -> Plan:
        from coder_enterprise.planner.planning import Planner
        from coder_enterprise.planner.pruning import gone_from_cluster

        namespaces = frozenset(key.namespace for key in manifests.objects)
        objects = await objects_of(kubeconfig, context, namespaces) if live else None
        gone = gone_from_cluster(objects or (), manifests) if prune and not former else since
        known = None if objects is None else {each.key: each for each in objects}
        with screen.progress("Planning") as progress:
            planner = Planner(manifests, access, known, gone, progress)
            return planner.offline() if offline else await planner.plan()

    show(guarded(command, work), output, exit_code=exit_code)


def show(plan: Plan, output: Output, *, exit_code: bool) -> None:
    """Print it. Ends the command with 1 when it is not whole; where that is asked for, also when something is refused,
    and with 2 when something differs."""
    from coder_enterprise.cli.plan_output import render

    typer.echo(render(plan, output))
    if plan.failed or (exit_code and plan.refuses):
        raise typer.Exit(1)
    if exit_code and plan.acts:
        raise typer.Exit(CHANGES)


def _gone_since(command: typer.Context, former: Path, manifests: Manifests) -> list[Step]:
    from coder_enterprise.planner.pruning import PlanFileError, gone_since_plan

    try:
        return gone_since_plan(text_of(command, former), manifests)
    except PlanFileError as error:
        fail(command, f"{former}: {error}")
