"""What `plan` and `apply` have in common: their options, the manifests, the tokens, and what a cluster says of them."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coder_enterprise.cli import cluster, names

if TYPE_CHECKING:
    from coder_enterprise.kinds.machinery.resource import Resource
    from coder_enterprise.planner.manifests import Manifests
    from coder_enterprise.planner.servers import Access


class Output(StrEnum):
    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    GITHUB = "github"


def some_files(value: list[str] | None) -> list[str] | None:
    """Of nothing, as an empty variable leaves it, the folder in which the command runs must not be made."""
    if "" in (value or ()):
        raise typer.BadParameter("one of them has no name; - is the standard input, and . this folder")
    return value


Files = Annotated[
    list[str],
    typer.Option(
        "--filename",
        "-f",
        metavar="FILE|DIR|-",
        help="Manifests: a file, a folder with all below it, or - for the standard input; repeat for several.",
        callback=some_files,
    ),
]
Namespace = Annotated[
    str, typer.Option("--namespace", "-n", help="Of objects that name none.", callback=names.namespace)
]
TokenFromEnv = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VARIABLE",
        help="The session token for the CoderDeployment NAME, or NAMESPACE/NAME, is in this environment variable.",
    ),
]
Live = Annotated[
    bool,
    typer.Option("--live", help="Read the cluster too: it says which things in Coder the objects have made."),
]


def access_of(command: typer.Context, tokens: list[str] | None) -> Access:
    """From the environment. Ends the command for an option or a variable that cannot be used."""
    from coder_enterprise.planner.servers import TOKEN, Access, given_token, given_url

    given = {}
    for item in tokens or ():
        name, equals, variable = item.partition("=")
        if not equals or not variable:
            raise typer.BadParameter(f"{item} is not NAME=VARIABLE", param_hint="--token-from-env")
        if not os.environ.get(variable):
            raise typer.BadParameter(f"the variable {variable} is empty or not set", param_hint="--token-from-env")
        given[name] = variable
    with cluster.told(command):
        tokens_ = {name: given_token(os.environ, variable) for name, variable in given.items()}
        return Access(given_url(os.environ), given_token(os.environ, TOKEN), tokens_)


def manifests_of(command: typer.Context, filename: list[str], namespace: str) -> Manifests:
    """Not in an event loop: whoever has nothing to read yet may go."""
    from coder_enterprise.planner.manifests import read

    with cluster.told(command):
        return read(filename, namespace)


def text_of(command: typer.Context, path: Path) -> str:
    """Of a file beside the manifests. Ends the command where it cannot be read."""
    from coder_enterprise.planner.files import FileError, text_of

    with cluster.told(command):
        try:
            return text_of(path)
        except FileError as error:
            cluster.fail(command, f"{path}: {error}")


async def objects_of(kubeconfig: Path | None, context: str | None, namespaces: frozenset[str]) -> list[Resource]:
    """All objects of our kinds in these namespaces. Raises `KubernetesError` and `CannotDo`."""
    from coder_enterprise.cluster.client import KubernetesClient
    from coder_enterprise.cluster.kubeconfig import access
    from coder_enterprise.oncall.objects import discover, read

    found = await access(kubeconfig, context)
    async with KubernetesClient(found.settings, "coder-enterprise") as client:
        kinds = await discover(client)
        return [each for namespace in sorted(namespaces) for each in await read(client, kinds, namespace)]
