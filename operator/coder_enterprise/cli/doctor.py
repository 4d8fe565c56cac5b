"""`coder-enterprise doctor`: looks for what is wrong, or will be."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from coder_enterprise.cli import cluster, names, screen
from coder_enterprise.cli.cluster import NOT_WELL, Output
from coder_enterprise.cli.options import Context, Kubeconfig

if TYPE_CHECKING:
    from coder_enterprise.cluster.client import KubernetesClient
    from coder_enterprise.oncall.doctor.findings import Finding


def run(
    command: typer.Context,
    before_install: Annotated[
        bool, typer.Option("--before-install", help="Look for what must be true before the chart is installed.")
    ] = False,
    namespace: Annotated[
        str | None,
        typer.Option(
            "--namespace",
            "-n",
            help="Look there alone; with --before-install, where it is to be installed. Default: all.",
            autocompletion=cluster.complete_namespace,
            callback=names.namespace,
        ),
    ] = None,
    output: cluster.OutputOption = Output.TEXT,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Look for what is wrong, or will be. Nothing is written.

    Of the cluster: CRDs, operators that run, the rights of their service accounts, and yours. Of each Coder: name,
    certificate, clock, version, token, what that may do, and licence.

    Coder is asked from where this runs, with the token that its CoderDeployment names.

    The exit code is 0 when nothing fails, 3 when something does, 1 when it could not look.

    Examples:

      coder-enterprise doctor

      coder-enterprise doctor --before-install --namespace coder-enterprise
    """

    async def look(client: KubernetesClient, own: str) -> list[Finding]:
        return await (_before(client, namespace or own) if before_install else _look(client, namespace))

    found = cluster.run_plain(command, look, kubeconfig, context)
    if output is Output.JSON:
        typer.echo(json.dumps({"version": 1, "findings": [each.document() for each in found]}, indent=2))
    else:
        screen.show(lines(found, screen.width()))
    if any(each.level == "failure" for each in found):
        raise typer.Exit(NOT_WELL)


async def _look(client: KubernetesClient, namespace: str | None) -> list[Finding]:
    from coder_enterprise.kinds.registry import CONNECTION_KIND
    from coder_enterprise.oncall.doctor import cluster as checks
    from coder_enterprise.oncall.doctor.accounts import operator_rights
    from coder_enterprise.oncall.doctor.coder import deployment
    from coder_enterprise.oncall.doctor.declared import declared
    from coder_enterprise.oncall.doctor.operators import operators

    found = [*await checks.definitions(client, installed=True), *await operators(client)]
    found += await operator_rights(client, namespace)
    found += await checks.rights(client, namespace, checks.TO_LOOK)
    resources, unread = await declared(client, namespace)
    found += unread
    for resource in resources:
        if resource.key.kind == CONNECTION_KIND.names.kind:
            found += [each async for each in deployment(client, resource, resources)]
    return found


async def _before(client: KubernetesClient, namespace: str) -> list[Finding]:
    from coder_enterprise.oncall.doctor import cluster as checks

    return [
        *await checks.kubernetes_version(client),
        *await checks.rights(client, namespace, checks.TO_INSTALL),
        *await checks.definitions(client, installed=False),
    ]


def lines(found: Sequence[Finding], limit: int | None = None) -> Iterator[str]:
    rows = ((each.level.value, each.subject, each.check, each.message) for each in found)
    yield from screen.table(("LEVEL", "ABOUT", "CHECK", "FOUND"), rows, limit=limit)
    steps = {(each.check, each.message): each.next_step for each in found if each.next_step}
    if steps:
        yield ""
        yield from screen.table(
            ("CHECK", "WHAT TO DO", "BECAUSE"),
            ((check, step, why) for (check, why), step in steps.items()),
            limit=limit,
        )
    counts = {level: sum(each.level == level for each in found) for level in ("ok", "warning", "failure")}
    yield ""
    yield f"{counts['ok']} ok, {counts['warning']} to look at, {counts['failure']} to repair"
