"""`coder-enterprise release`: lets Kubernetes objects go before the operator is removed."""

from __future__ import annotations

from typing import Annotated

import typer

from coder_enterprise.cli import names
from coder_enterprise.cli.options import LEASE_NAME, Context, Kubeconfig


def run(
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    namespace: Annotated[
        list[str] | None,
        typer.Option(
            help="Only objects of this namespace; repeat for several. Default: all.", callback=names.namespaces
        ),
    ] = None,
    end_operator: Annotated[
        str,
        typer.Option(
            metavar="NAMESPACE/NAME",
            help="First delete this Deployment and wait until its pods are gone: an operator that runs puts its "
            "finalizers back.",
        ),
    ] = "",
    lease_name: Annotated[
        str, typer.Option(help="The operator's own --lease-name: with --end-operator, its Leases are removed as well.")
    ] = LEASE_NAME,
    skip_forbidden: Annotated[
        bool,
        typer.Option(
            "--skip-forbidden", help="Go on where Kubernetes forbids it, such as in a namespace that does not exist."
        ),
    ] = False,
    timeout: Annotated[
        float, typer.Option(min=0, help="Seconds to wait for those pods; then it goes on without them.")
    ] = 60.0,
) -> None:
    """Take the operator's finalizers away, so that objects can be deleted with nothing in Coder touched.

    What the objects made in Coder stays there. The objects stay too, until somebody deletes them; an operator that is
    started again takes care of them as before. It may be run again at any time.

    Examples:

    \b
      coder-enterprise release \\
        --end-operator coder-enterprise/coder-enterprise-operator

      coder-enterprise release --namespace team-a --namespace team-b
    """
    from coder_enterprise.cluster.client import KubernetesClient
    from coder_enterprise.cluster.errors import KubernetesError
    from coder_enterprise.cluster.kubeconfig import configuration
    from coder_enterprise.controller.release import Release, remove_leases
    from coder_enterprise.controller.release import end_operator as end
    from coder_enterprise.kinds.machinery.object_names import name_fault, namespace_fault
    from coder_enterprise.kinds.registry import KINDS
    from coder_enterprise.process.loop import run as run_loop

    home, _, name = end_operator.partition("/")
    if end_operator and (namespace_fault(home) or name_fault(name)):
        typer.echo(f"coder-enterprise release: --end-operator: {end_operator!r} is not NAMESPACE/NAME", err=True)
        raise typer.Exit(1)
    plurals = {kind.names.kind: kind.names.plural for kind in KINDS}

    async def main() -> None:
        async with KubernetesClient(await configuration(kubeconfig, context)) as client:
            if name:
                gone = await end(client, home, name, timeout)
                typer.echo(f"Deployment {end_operator}: {'gone' if gone else f'not gone after {timeout:.0f} s'}")
                if gone:
                    count = await remove_leases(client, home, lease_name)
                    typer.echo(f"{count} {'Lease' if count == 1 else 'Leases'} removed")
            release = Release(client, plurals, typer.echo, skip_forbidden=skip_forbidden)
            count = await release.run(namespace or ())
            typer.echo(f"{count} {'object' if count == 1 else 'objects'} released")

    try:
        run_loop(main())
    except KubernetesError as error:
        typer.echo(f"coder-enterprise release: {error}", err=True)
        raise typer.Exit(1) from None
