"""`coder-enterprise diff`: what is declared in a cluster, or in files, against what Coder has."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coder_enterprise.cli import cluster, plan, screen
from coder_enterprise.cli.cluster import Connection
from coder_enterprise.cli.completion import complete_target
from coder_enterprise.cli.options import Context, Kubeconfig
from coder_enterprise.cli.planning import Output, TokenFromEnv, access_of, some_files

if TYPE_CHECKING:
    from coder_enterprise.kinds.machinery.resource import Key, Resource
    from coder_enterprise.planner.manifests import Manifests
    from coder_enterprise.planner.plans import Plan


def run(
    command: typer.Context,
    target: Annotated[
        list[str] | None, typer.Argument(metavar="[KIND/NAME...]", autocompletion=complete_target)
    ] = None,
    filename: Annotated[
        list[str] | None,
        typer.Option(
            "--filename",
            "-f",
            metavar="FILE|DIR|-",
            help="In place of objects: the same as `plan -f`.",
            callback=some_files,
        ),
    ] = None,
    namespace: cluster.Namespace = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="What to print.")] = Output.TEXT,
    exit_code: Annotated[
        bool,
        typer.Option(
            "--exit-code", help="End with 0 for no difference, 2 for some, 1 for an error and what is refused."
        ),
    ] = False,
    token_from_env: TokenFromEnv = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Show how Coder differs from what objects of a cluster declare, right now and without waiting for the operator.

    The CoderDeployment and its Secret are read from the cluster; who may not read the Secret gives the token with
    --token-from-env, or sets CODER_URL and CODER_SESSION_TOKEN.

    Examples:

      coder-enterprise diff codergroup/platform

      coder-enterprise diff -f coder/
    """
    if bool(target) == bool(filename):
        raise typer.BadParameter("name objects as KIND/NAME, or files with -f", param_hint="KIND/NAME")
    if filename:
        plan.run(command, filename, namespace or "default", output, exit_code=exit_code, token_from_env=token_from_env)
        return
    access = access_of(command, token_from_env)

    async def work(connection: Connection) -> Plan:
        from coder_enterprise.kinds.machinery.resource import Resource
        from coder_enterprise.planner.planning import Planner

        wanted = [connection.kinds.key(each, connection.namespace) for each in target or ()]
        manifests = await _declared(connection, wanted)
        live = {key: Resource.from_body(key.kind, each.body) for key, each in manifests.objects.items()}
        found = await Planner(manifests, access, live).plan()
        return replace(found, steps=[step for step in found.steps if step.key in wanted])

    found = cluster.run(command, work, kubeconfig, context, namespace)
    plan.show(found, output, exit_code=exit_code)


async def _declared(connection: Connection, wanted: list[Key]) -> Manifests:
    """The objects, all that they refer to, and the Secrets, as far as they may be read."""
    from coder_enterprise.kinds.machinery.resource import Key, Resource
    from coder_enterprise.kinds.registry import CONNECTION_KIND, MANAGED_KINDS
    from coder_enterprise.planner.faults import Origin
    from coder_enterprise.planner.manifests import Manifest, Manifests

    kinds = {kind.names.kind: kind for kind in MANAGED_KINDS}
    manifests = Manifests()
    queue = list(wanted)
    secrets: dict[tuple[str, str], None] = {}
    while queue:
        key = queue.pop()
        body = None if key in manifests.objects else await _body(connection, key, required=key in wanted)
        if body is None:
            continue
        manifests.objects[key] = Manifest(key, body, Origin("cluster", 0))
        resource = Resource.from_body(key.kind, body)
        if key.kind == CONNECTION_KIND.names.kind:
            spec = understood(CONNECTION_KIND.spec_model, resource)
            names = [ref.name for ref in CONNECTION_KIND.secrets(spec)]
        else:
            kind = kinds[key.kind]
            spec = understood(kind.spec_model, resource)
            names = list(kind.secrets(resource, spec))
            queue += [*kind.references(resource, spec), Key(CONNECTION_KIND.names.kind, *resource.deployment)]
        secrets |= {(key.namespace, name): None for name in names}
    for where, name in secrets:
        await _add_secret(connection, manifests, where, name)
    return manifests


def understood(model: type[Any], resource: Resource) -> Any:
    """The spec. Raises `CannotDo` for one that another version wrote."""
    from pydantic import ValidationError

    from coder_enterprise.oncall.errors import CannotDo

    try:
        return model.model_validate(resource.spec)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        field = ".".join(map(str, ("spec", *first["loc"])))
        raise CannotDo(
            f"{resource.key}: this program does not understand {field}: {first['msg']}",
            "install CRDs, operator and command of one version",
        ) from None


async def _body(connection: Connection, key: Key, *, required: bool) -> dict[str, Any] | None:
    from coder_enterprise.oncall import objects

    try:
        return await objects.body(connection.client, connection.kinds, key)
    except objects.NotThere:
        if required:
            raise
        return None


async def _add_secret(connection: Connection, manifests: Manifests, namespace: str, name: str) -> None:
    from coder_enterprise.cluster.errors import Gone, KubernetesError
    from coder_enterprise.cluster.paths import SECRETS

    try:
        manifests.secrets[namespace, name] = await connection.client.get(SECRETS, namespace, name)
    except Gone:
        return
    except KubernetesError as error:
        screen.say(f"Secret {namespace}/{name} cannot be read ({error.reason})")
