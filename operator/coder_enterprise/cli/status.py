"""`coder-enterprise status`: how everything stands, or one object and all that it waits for."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from coder_enterprise.cli import cluster, names, screen
from coder_enterprise.cli.cluster import Connection, Output
from coder_enterprise.cli.completion import complete_target
from coder_enterprise.cli.options import Context, Kubeconfig

if TYPE_CHECKING:
    from coder_enterprise.kinds.machinery.resource import Resource
    from coder_enterprise.oncall.chain import Section

POLL: Final = 2.0
"""Seconds between two looks at the chain of one object."""
_HOME, _TO_END_OF_LINE, _TO_END = "\x1b[H", "\x1b[K", "\x1b[J"


def run(
    command: typer.Context,
    target: Annotated[
        str | None,
        typer.Argument(metavar="KIND/NAME", autocompletion=complete_target, help="Only this one, with all it needs."),
    ] = None,
    namespace: Annotated[
        str | None,
        typer.Option(
            "--namespace",
            "-n",
            help="Only there. Default: all; of KIND/NAME, that of the kubeconfig's context.",
            autocompletion=cluster.complete_namespace,
            callback=names.namespace,
        ),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Draw again whenever something changes.")] = False,
    output: cluster.OutputOption = Output.TEXT,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Show how everything stands: deployments, objects by kind, what is not ready, why, since when, and what to do.

    With KIND/NAME: that object and what it waits for, each with its conditions and events.

    The exit code is 0 when it could be shown, whatever it shows; 1 when it could not.

    Examples:

      coder-enterprise status

      coder-enterprise status --namespace team-a --watch

      coder-enterprise status codertemplateacl/gpu-workstation -n team-a
    """

    async def overview(connection: Connection) -> None:
        from coder_enterprise.oncall import objects
        from coder_enterprise.oncall.live import Live

        def draw(resources: list[Resource]) -> None:
            _draw_overview(connection, resources, output, again=watch)

        if watch:
            await Live(connection.client, connection.kinds, namespace).run(draw)
        draw(await objects.read(connection.client, connection.kinds, namespace))

    async def chain(connection: Connection) -> None:
        import asyncio

        from coder_enterprise.oncall.chain import walk

        key = connection.kinds.key(target or "", connection.namespace)
        while True:
            _draw_chain([each async for each in walk(connection.client, connection.kinds, key)], output, again=watch)
            if not watch:
                return
            await asyncio.sleep(POLL)

    cluster.run(command, chain if target else overview, kubeconfig, context, namespace)


def _draw_overview(connection: Connection, resources: list[Resource], output: Output, *, again: bool) -> None:
    from coder_enterprise.cli.status_lines import overview_lines
    from coder_enterprise.oncall.overview import document, overview

    seen = overview(resources, connection.kinds)
    if output is Output.JSON:
        _show_document(document(seen), again=again)
    else:
        _show_lines(overview_lines(seen, datetime.now(UTC), screen.width()), again=again)


def _draw_chain(sections: list[Section], output: Output, *, again: bool) -> None:
    from coder_enterprise.cli.status_lines import chain_lines
    from coder_enterprise.oncall.chain import document

    if output is Output.JSON:
        _show_document(document(sections), again=again)
    else:
        _show_lines(chain_lines(sections, datetime.now(UTC)), again=again)


def _show_document(document: dict[str, Any], *, again: bool) -> None:
    """When there are many, one line each."""
    typer.echo(json.dumps(document, indent=None if again else 2, ensure_ascii=False))


def _show_lines(lines: Iterable[str], *, again: bool) -> None:
    """On a terminal, what is drawn again is drawn over what was there."""
    if not (again and screen.is_terminal(sys.stdout)):
        screen.show(lines)
        return
    drawn = f"{_TO_END_OF_LINE}\n".join(lines)
    typer.echo(f"{_HOME}{drawn}{_TO_END_OF_LINE}{_TO_END}", color=True)
