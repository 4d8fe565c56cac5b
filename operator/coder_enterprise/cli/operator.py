"""`coder-enterprise operator`: runs the operator until it is told to end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coder_enterprise.cli import names
from coder_enterprise.cli.options import LEASE_NAME, Context, Kubeconfig, listen_at
from coder_enterprise.page.access.modes import Mode

if TYPE_CHECKING:
    from socket import socket

    from coder_enterprise.controller.manager import Companion
    from coder_enterprise.page.settings import Options


def run(
    command: typer.Context,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    namespace: Annotated[
        list[str] | None,
        typer.Option(help="Watch only this namespace; repeat for several. Default: all.", callback=names.namespaces),
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(
            help="Host that a CoderDeployment may name in spec.url, with * for any part, such as *.example.com; repeat "
            "for several. Default: all but link-local addresses, which must be named to be allowed."
        ),
    ] = None,
    lease_namespace: Annotated[
        str,
        typer.Option(
            envvar="POD_NAMESPACE",
            help="Where the Leases are by which replicas share the work.",
            callback=names.namespace,
        ),
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
    page_address: Annotated[
        str, typer.Option(help="Where the page for people listens; empty: nowhere.")
    ] = "127.0.0.1:8082",
    page_mode: Annotated[
        Mode,
        typer.Option(
            help="How it learns who looks: local, on loopback alone, asks nobody; kubernetes takes bearer tokens of "
            "the cluster; proxy believes the headers of a proxy before it."
        ),
    ] = Mode.LOCAL,
    page_actions: Annotated[
        bool,
        typer.Option("--page-actions", help="Let people reconcile, suspend and resume there, with their own rights."),
    ] = False,
    page_trusted_proxy: Annotated[
        list[str] | None,
        typer.Option(help="In the mode proxy, where that comes from, such as 10.0.0.0/8; repeat for several."),
    ] = None,
    page_trusted_proxy_ca: Annotated[
        Path | None, typer.Option(help="In the mode proxy, a file with the authority of the certificate that it shows.")
    ] = None,
    page_tls_cert: Annotated[
        Path | None, typer.Option(help="File with the page's certificate, read anew when it changes; else HTTP.")
    ] = None,
    page_tls_key: Annotated[Path | None, typer.Option(help="File with the key of that certificate.")] = None,
    page_grafana_url: Annotated[
        str, typer.Option(help="Where Grafana is, which has the dashboard: the page links to it; empty: it does not.")
    ] = "",
) -> None:
    """Run the operator: make Coder match what is declared in Kubernetes.

    Examples:

      coder-enterprise operator --kubeconfig ~/.kube/config

      coder-enterprise operator --namespace team-a --namespace team-b
    """
    from coder_enterprise.cli.logs import configure  # before all that logs: it says what structlog need not import

    health = listen_at(command, "--health-address", health_address) if health_address else None
    companion = None
    if page_address:
        listener = listen_at(command, "--page-address", page_address)
        from coder_enterprise.page.settings import Options

        proxies = tuple(page_trusted_proxy or ())
        options = Options(
            page_mode,
            page_actions,
            proxies,
            page_trusted_proxy_ca,
            page_tls_cert,
            page_tls_key,
            page_grafana_url,
        )
        companion = _page(command, listener, options)
    from coder_enterprise.cluster.errors import KubernetesError
    from coder_enterprise.controller.leases import LeadershipLost
    from coder_enterprise.controller.manager import Manager, ManagerSettings
    from coder_enterprise.kinds.registry import CONNECTION_KIND, MANAGED_KINDS
    from coder_enterprise.process.loop import run as run_loop

    settings = ManagerSettings(
        kubeconfig=kubeconfig,
        context=context,
        namespaces=tuple(namespace or ()),
        allowed_hosts=tuple(allowed_host or ()),
        lease_namespace=lease_namespace,
        lease_name=lease_name,
        pod=pod_uid,
        health=health,
        companion=companion,
    )
    configure()

    async def main() -> None:
        await Manager(settings, CONNECTION_KIND, MANAGED_KINDS).run()

    try:
        run_loop(main())
    except (KubernetesError, LeadershipLost) as error:
        typer.echo(f"coder-enterprise operator: {error}", err=True)
        raise typer.Exit(1) from None


def _page(command: typer.Context, listener: socket, options: Options) -> Companion:
    """What the manager runs beside the engine. Ends the command where it must not be served so."""
    from coder_enterprise.page.server import PageServer
    from coder_enterprise.page.settings import SettingsError, settings

    try:
        found = settings(listener, options)
    except SettingsError as error:
        typer.echo(f"coder-enterprise {command.info_name}: {error}", err=True)
        raise typer.Exit(1) from None
    return lambda view, client: PageServer(view, client, found)
