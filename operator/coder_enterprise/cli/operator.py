"""`coder-enterprise operator`: runs the operator until it is told to end."""

from __future__ import annotations

from typing import Annotated

import typer

from coder_enterprise.cli.options import LEASE_NAME, Context, Kubeconfig, listen_at


def run(
    command: typer.Context,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    namespace: Annotated[
        list[str] | None, typer.Option(help="Watch only this namespace; repeat for several. Default: all.")
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(
            help="Host that a CoderDeployment may name in spec.url, with * for any part, such as *.example.com; repeat "
            "for several. Default: all but link-local addresses, which must be named to be allowed."
        ),
    ] = None,
    lease_namespace: Annotated[
        str, typer.Option(envvar="POD_NAMESPACE", help="Where the Leases are by which replicas share the work.")
    ] = "default",
    lease_name: Annotated[
        str, typer.Option(help="With what their names begin; the same for all replicas, at most 40 characters.")
    ] = LEASE_NAME,
    pod_uid: Annotated[
        str,
        typer.Option(
            envvar="POD_UID", help="Of the pod, if it runs in one: what its process before a restart held is free."
        ),
    ] = "",
    health_address: Annotated[
        str, typer.Option(help="Where /healthz, /readyz and /metrics listen, as :8081; empty: nowhere.")
    ] = "127.0.0.1:8081",
) -> None:
    """Run the operator: make Coder match what is declared in Kubernetes.

    Examples:

      coder-enterprise operator --kubeconfig ~/.kube/config

      coder-enterprise operator --namespace team-a --namespace team-b
    """
    health = listen_at(command, "--health-address", health_address) if health_address else None
    from coder_enterprise.cli.logs import configure
    from coder_enterprise.controller.kubernetes import KubernetesError
    from coder_enterprise.controller.leases import LeadershipLost
    from coder_enterprise.controller.manager import Manager, ManagerSettings
    from coder_enterprise.kinds.registry import CONNECTION_KIND, MANAGED_KINDS

    settings = ManagerSettings(
        kubeconfig=kubeconfig,
        context=context,
        namespaces=tuple(namespace or ()),
        allowed_hosts=tuple(allowed_host or ()),
        lease_namespace=lease_namespace,
        lease_name=lease_name,
        pod=pod_uid,
        health=health,
    )
    configure()

    async def main() -> None:
        await Manager(settings, CONNECTION_KIND, MANAGED_KINDS).run()

    try:
        import uvloop

        uvloop.run(main())
    except (KubernetesError, LeadershipLost) as error:
        typer.echo(f"coder-enterprise operator: {error}", err=True)
        raise typer.Exit(1) from None
