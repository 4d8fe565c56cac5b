"""`coder-enterprise apply`: what `plan` shows, carried out once, without Kubernetes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from coder_enterprise.cli import screen
from coder_enterprise.cli.cluster import agreed, fail, guarded
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
)

if TYPE_CHECKING:
    from coder_enterprise.kinds.machinery.resource import Key, Resource
    from coder_enterprise.planner.applying import Result
    from coder_enterprise.planner.plans import Plan


def run(
    command: typer.Context,
    filename: Files,
    namespace: Namespace = "default",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    token_from_env: TokenFromEnv = None,
    live: Live = False,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Make Coder match manifests once, without Kubernetes: shows the plan, asks, and carries it out.

    Nothing remembers afterwards which things in Coder were made by which object: what exists already is only changed
    where spec.adoptionPolicy allows it. Objects that an operator works for in a cluster, which --live looks at, are let
    be, and so are workspace proxies, whose tokens need a Secret. Interrupt and repeat it as you like.

    Examples:

      coder-enterprise apply -f coder/

      kustomize build . | coder-enterprise apply -f - --yes
    """
    if "-" in filename and not yes:
        raise typer.BadParameter("the standard input cannot hold manifests and answers: add --yes", param_hint="-f")
    access = access_of(command, token_from_env)

    manifests = manifests_of(command, filename, namespace)

    async def look() -> tuple[dict[Key, str], Plan]:
        from coder_enterprise.planner.planning import Planner

        namespaces = frozenset(key.namespace for key in manifests.objects)
        claimed = _claimed(await objects_of(kubeconfig, context, namespaces)) if live else {}
        with screen.progress("Planning") as progress:
            return claimed, await Planner(manifests, access, progress=progress).plan()

    claimed, plan = guarded(command, look)
    _show(command, plan)
    if not plan.acts:
        if plan.failed or plan.refuses:
            raise typer.Exit(1)
        return
    if not yes and not agreed("Apply this?"):
        fail(command, "nothing was applied", "agree, or give --yes")

    async def carry_out() -> Result:
        from coder_enterprise.planner.applying import Applier

        with screen.progress("Applying") as progress:
            return await Applier(manifests, access, claimed=claimed, progress=progress).apply()

    _tell(guarded(command, carry_out))


def _show(command: typer.Context, plan: Plan) -> None:
    """Ends the command when there are manifests that cannot be applied."""
    from coder_enterprise.cli.plan_output import render

    typer.echo(render(plan, Output.TEXT))
    if plan.faults:
        fail(command, "nothing was applied, since some manifests are not valid")


def _claimed(objects: list[Resource]) -> dict[Key, str]:
    from coder_enterprise.kinds.machinery.resource import FINALIZER

    return {
        each.key: "an operator works for it in the cluster: change it there"
        for each in objects
        if FINALIZER in each.finalizers
    }


def _tell(result: Result) -> None:
    """Ends the command with 1 when something failed or was refused."""
    from coder_enterprise.planner.applying import Outcome

    for key, message in sorted(result.messages.items()):
        if message:
            screen.say(f"{result.outcomes[key]}: {key}: {screen.clean(message)}")
    typer.echo(f"Apply: {', '.join(f'{result.counts[outcome]} {outcome}' for outcome in Outcome)}")
    if result.counts[Outcome.FAILED] or result.counts[Outcome.REFUSED]:
        raise typer.Exit(1)
