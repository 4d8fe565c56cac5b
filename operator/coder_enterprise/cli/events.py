"""`coder-enterprise events`: what the operator said about objects, the newest last."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from coder_enterprise.cli import cluster, screen
from coder_enterprise.cli.cluster import Connection, Output
from coder_enterprise.cli.completion import complete_target
from coder_enterprise.cli.options import Context, Kubeconfig

if TYPE_CHECKING:
    from coder_enterprise.oncall.happenings import Happening

_HEAD = ("SEEN", "TYPE", "REASON", "TIMES", "OBJECT", "NOTE")


def run(
    command: typer.Context,
    about: Annotated[
        str | None,
        typer.Option("--for", metavar="KIND/NAME", autocompletion=complete_target, help="Only about this object."),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on, with each as it comes.")] = False,
    namespace: cluster.Namespace = None,
    all_namespaces: cluster.AllNamespaces = False,
    output: cluster.OutputOption = Output.TEXT,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Show the operator's events, one line each, the newest last. Kubernetes keeps them for an hour by default.

    With --output json, each is one line of JSON.

    Examples:

      coder-enterprise events --for codergroup/platform

      coder-enterprise events --all-namespaces --watch
    """

    async def show(connection: Connection) -> None:
        from coder_enterprise.oncall import happenings

        key = connection.kinds.key(about, connection.namespace) if about else None
        where = None if all_namespaces else connection.namespace
        if not watch:
            found = await happenings.past(connection.client, where, key)
            if not found:
                screen.say("no events")
            else:
                _print(lines(found, datetime.now(UTC)), found, output)
            return
        async for fresh in happenings.follow(connection.client, where, key):
            _print(live_lines(fresh), fresh, output)

    cluster.run(command, show, kubeconfig, context, namespace)


def _print(text: Iterable[str], found: Iterable[Happening], output: Output) -> None:
    said = (json.dumps(each.document(), ensure_ascii=False) for each in found)
    for line in said if output is Output.JSON else text:
        screen.show([line])


def lines(found: Iterable[Happening], now: datetime) -> Iterator[str]:
    """With how long ago."""
    return screen.table(_HEAD, (_row(screen.ago(each.at, now), each) for each in found))


def live_lines(found: Iterable[Happening]) -> Iterator[str]:
    """With the time of day, which stays true; without a head, and not aligned, for nobody knows what comes."""
    return ("  ".join(map(screen.clean, _row(each.at.strftime("%H:%M:%SZ"), each))) for each in found)


def _row(when: str, each: Happening) -> tuple[str, ...]:
    where = f"{each.key.kind.lower()}/{each.key.name} -n {each.key.namespace}"
    return (when, "Warning" if each.warns else "Normal", each.reason, str(each.count), where, each.note)
