"""`coder-enterprise reconcile`, `suspend`, `resume` and `force-detach`: what a person on call does to objects."""

from __future__ import annotations

import contextlib
import re
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from coder_enterprise.cli import cluster, screen
from coder_enterprise.cli.cluster import NOT_WELL, Connection
from coder_enterprise.cli.completion import complete_target
from coder_enterprise.cli.options import Context, Kubeconfig

if TYPE_CHECKING:
    from coder_enterprise.kinds.machinery.resource import Key, Resource
    from coder_enterprise.oncall.standing import Standing


def reconcile(
    command: typer.Context,
    targets: Annotated[list[str] | None, typer.Argument(metavar="KIND/NAME...", autocompletion=complete_target)] = None,
    everything: Annotated[bool, typer.Option("--all", help="All objects of the namespace, in place of names.")] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Until the operator has visited them; then say how they stand.")
    ] = False,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds that --wait takes at most.")] = 60.0,
    namespace: cluster.Namespace = None,
    all_namespaces: Annotated[
        bool, typer.Option("--all-namespaces", "-A", help="With --all: of all namespaces.")
    ] = False,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Have objects reconciled now, rather than when something changes or at the next resync.

    With --wait, the exit code is 0 when all are ready then, and 3 when one is not.

    Examples:

      coder-enterprise reconcile codergroup/platform --wait

      coder-enterprise reconcile --all --all-namespaces
    """
    if bool(targets) == everything:
        raise typer.BadParameter("name objects as KIND/NAME, or give --all")

    async def act(connection: Connection) -> bool:
        from coder_enterprise.oncall import acts

        chosen = await _chosen(connection, targets or [], everything=everything, everywhere=all_namespaces)
        keys = [each.key for each in chosen]
        with screen.progress("Asking") as progress:
            asked = await acts.request_reconcile(connection.client, connection.kinds, keys, progress)
        if not wait:
            typer.echo(f"{len(asked)} {'object' if len(asked) == 1 else 'objects'} asked for")
            return True
        return await _wait(connection, asked, timeout)

    if not cluster.run(command, act, kubeconfig, context, namespace):
        raise typer.Exit(NOT_WELL)


async def _chosen(connection: Connection, targets: list[str], *, everything: bool, everywhere: bool) -> list[Resource]:
    """Without those that are suspended, of which it says so."""
    from coder_enterprise.kinds.machinery.suspension import suspension
    from coder_enterprise.oncall import objects

    if everything:
        where = None if everywhere else connection.namespace
        found = await objects.read(connection.client, connection.kinds, where)
    else:
        found = await objects.find(connection.client, connection.kinds, targets, connection.namespace)
    awake = [resource for resource in found if suspension(resource.spec) is None]
    for resource in found:
        if resource not in awake:
            screen.say(f"{resource.key} is suspended, and left alone; `coder-enterprise resume` ends that")
    return awake


async def _wait(connection: Connection, asked: dict[Key, str], timeout: float) -> bool:
    """Whether all are ready. Raises `CannotDo` when the operator does not come in time."""
    import asyncio

    from coder_enterprise.oncall.acts import wait_until_handled
    from coder_enterprise.oncall.errors import CannotDo

    stand: list[Standing] = []
    with screen.progress("Visiting") as progress:

        def say(how: Standing) -> None:
            stand.append(how)
            progress(len(stand), len(asked))

        try:
            await asyncio.wait_for(wait_until_handled(connection.client, connection.kinds, asked, say), timeout)
        except TimeoutError:
            raise CannotDo(
                f"{len(stand)} of {len(asked)} were visited within {timeout:.0f} s",
                "does the operator run, and does it watch the namespace? `coder-enterprise doctor` looks",
            ) from None
    rows = ((f"{how.key.kind.lower()}/{how.key.name}", how.status, how.reason, how.message) for how in stand)
    screen.show(screen.table(("OBJECT", "READY", "REASON", "MESSAGE"), rows, limit=screen.width()))
    return all(how.ready for how in stand)


def suspend(
    command: typer.Context,
    targets: cluster.Targets,
    until: Annotated[
        str, typer.Option(metavar="2h|TIME", help="Only so long, or until then; by itself again afterwards.")
    ] = "",
    namespace: cluster.Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Stop reconciling objects: nothing is read or written for them until they are resumed, or until a time.

    Where Flux or Argo CD delivers an object, set spec.suspend or spec.suspendUntil there: they put back what their
    source says.

    Examples:

      coder-enterprise suspend codergroup/platform codertemplateacl/gpu-workstation

      coder-enterprise suspend coderdeployment/coder --until 2h

      coder-enterprise suspend coderdeployment/coder --until 2027-03-01T06:00:00Z
    """
    end = _moment(until) if until else None

    async def act(connection: Connection) -> None:
        from coder_enterprise.kinds.machinery.moments import timestamp
        from coder_enterprise.oncall import acts, objects

        for resource in await objects.find(connection.client, connection.kinds, targets, connection.namespace):
            await acts.suspend(connection.client, connection.kinds, resource.key, end)
            typer.echo(f"{resource.key} suspended" + (f" until {timestamp(end)}" if end else ""))

    cluster.run(command, act, kubeconfig, context, namespace)


def _moment(text: str) -> datetime:
    """From now on, or a time. Ends the command for what is neither, or is over."""
    from coder_enterprise.kinds.machinery import durations, moments

    with contextlib.suppress(OverflowError):
        if re.fullmatch(durations.PATTERN, text):
            return moments.present() + timedelta(seconds=durations.seconds(text))
        moment = moments.read(text)
        if moment is not None and moment.tzinfo is not None and moment > moments.present():
            return moment.astimezone(UTC)
    raise typer.BadParameter(
        f"{text!r} is neither a duration, such as 2h or 90m, nor a time to come with its zone, such as "
        "2027-03-01T06:00:00Z",
        param_hint="--until",
    )


def resume(
    command: typer.Context,
    targets: cluster.Targets,
    namespace: cluster.Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Reconcile objects again that were suspended.

    Examples:

      coder-enterprise resume codergroup/platform
    """

    async def act(connection: Connection) -> None:
        from coder_enterprise.oncall import acts, objects

        for resource in await objects.find(connection.client, connection.kinds, targets, connection.namespace):
            await acts.resume(connection.client, connection.kinds, resource.key)
            typer.echo(f"{resource.key} resumed")

    cluster.run(command, act, kubeconfig, context, namespace)


def force_detach(
    command: typer.Context,
    targets: cluster.Targets,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    namespace: cluster.Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Let objects be deleted without touching what they stand for in Coder, for when Coder cannot be asked.

    It asks first and says what stays. The objects themselves are deleted with `kubectl delete`.

    Examples:

      coder-enterprise force-detach codergroup/platform
    """

    async def look(connection: Connection) -> list[Resource]:
        from coder_enterprise.oncall import acts, objects

        found = await objects.find(connection.client, connection.kinds, targets, connection.namespace)
        for resource in found:
            screen.say(acts.what_detaching_means(resource))
        return found

    found = cluster.run(command, look, kubeconfig, context, namespace)
    if not yes and not (screen.is_terminal(sys.stdin) and cluster.agreed("Detach?")):
        cluster.fail(command, "nothing was done", "agree, or give --yes")

    async def act(connection: Connection) -> None:
        from coder_enterprise.oncall import acts

        for resource in found:
            await acts.force_detach(connection.client, connection.kinds, resource.key)
            typer.echo(f"{resource.key} detached")

    cluster.run(command, act, kubeconfig, context, namespace)
