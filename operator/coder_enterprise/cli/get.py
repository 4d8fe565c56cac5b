"""`coder-enterprise get`: objects by how they stand, which kubectl cannot select by."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coder_enterprise.cli import cluster, screen
from coder_enterprise.cli.cluster import Connection
from coder_enterprise.cli.completion import complete_kind, complete_reason
from coder_enterprise.cli.options import Context, Kubeconfig

if TYPE_CHECKING:
    from coder_enterprise.kinds.machinery.resource import Resource


class Form(StrEnum):
    TEXT = "text"
    WIDE = "wide"
    JSON = "json"
    NAME = "name"


class Status(StrEnum):
    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


def run(
    command: typer.Context,
    kind: Annotated[
        str | None,
        typer.Argument(autocompletion=complete_kind, help="Kind, plural, singular or short name. Default: all kinds."),
    ] = None,
    ready: Annotated[
        list[Status] | None, typer.Option(help="Only those whose Ready condition is this; repeat for several.")
    ] = None,
    reason: Annotated[
        list[str] | None,
        typer.Option(
            autocompletion=complete_reason, help="Only those whose Ready condition has this reason; repeat for several."
        ),
    ] = None,
    namespace: cluster.Namespace = None,
    all_namespaces: cluster.AllNamespaces = False,
    output: Annotated[Form, typer.Option("--output", "-o", help="What to print.")] = Form.TEXT,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """List objects, one line each, by kind and by how they stand.

    Examples:

      coder-enterprise get --ready False --all-namespaces

    \b
      coder-enterprise get codergroup --reason Conflict --output name |
        xargs coder-enterprise reconcile
    """

    async def look(connection: Connection) -> list[dict[str, Any]]:
        from coder_enterprise.cluster.paths import custom

        kinds = [connection.kinds.named(kind)] if kind else connection.kinds
        where = None if all_namespaces else connection.namespace
        found = [await connection.client.listing(custom(names.plural), where) for names in kinds]
        return [body for bodies, _ in found for body in bodies]

    found = cluster.run(command, look, kubeconfig, context, namespace)
    chosen = [body for body in found if _fits(body, ready or (), reason or ())]
    if output is Form.JSON:
        typer.echo(json.dumps({"apiVersion": "v1", "kind": "List", "items": chosen}, indent=2, ensure_ascii=False))
        return
    if not chosen:
        screen.say("nothing found")
        return
    from coder_enterprise.kinds.machinery.resource import Resource

    resources = sorted((Resource.from_body(body["kind"], body) for body in chosen), key=lambda each: each.key)
    screen.show(lines(resources, output, datetime.now(UTC), namespaces=all_namespaces))


def _fits(body: dict[str, Any], ready: Sequence[str], reason: Sequence[str]) -> bool:
    from coder_enterprise.kinds.machinery.resource import Resource
    from coder_enterprise.oncall.standing import standing

    how = standing(Resource.from_body(body["kind"], body))
    return (not ready or how.status in ready) and (not reason or how.reason in reason)


def lines(resources: Sequence[Resource], form: Form, now: datetime, *, namespaces: bool) -> Iterator[str]:
    if form is Form.NAME:
        yield from (f"{each.key.kind.lower()}/{each.key.name}" for each in resources)
        return
    wide = form is Form.WIDE
    head = [*(["NAMESPACE"] if namespaces else []), "OBJECT", "READY", "REASON", "SINCE", "AGE"]
    rows = (_row(each, now, namespaces=namespaces, wide=wide) for each in resources)
    yield from screen.table([*head, *(["DEPLOYMENT", "ID IN CODER", "MESSAGE"] if wide else [])], rows)


def _row(resource: Resource, now: datetime, *, namespaces: bool, wide: bool) -> list[str]:
    from coder_enterprise.oncall.standing import moment, standing

    how = standing(resource)
    row = [*([resource.key.namespace] if namespaces else []), f"{resource.key.kind.lower()}/{resource.key.name}"]
    row += [how.status, how.reason, screen.ago(how.since, now), screen.ago(moment(resource.created), now)]
    return [*row, *(["/".join(resource.deployment), resource.external_id or "", how.message] if wide else [])]
