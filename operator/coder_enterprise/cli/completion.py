"""What the shell offers after a Tab: kinds, names and namespaces, as they are in the cluster.

Called by the shell through typer's completion, and by kubectl through `kubectl_complete-coder`. What cannot be asked
within a moment is not offered: a shell must never hang, and nobody reads an error there.
"""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

import typer

if TYPE_CHECKING:
    from coder_enterprise.cluster.client import KubernetesClient

PATIENCE: Final = 2.0
"""Seconds."""
NO_FILES: Final = ":4"
"""What kubectl reads at the end: offer no names of files (Cobra's ShellCompDirectiveNoFileComp)."""


def complete_namespace(context: typer.Context, incomplete: str) -> list[str]:
    async def ask(client: KubernetesClient, _: str) -> list[str]:
        from coder_enterprise.cluster.paths import NAMESPACES

        return [
            body["metadata"]["name"] async for page in client.pages(NAMESPACES, metadata_only=True) for body in page
        ]

    return _matching(_ask(context, ask), incomplete)


def complete_kind(context: typer.Context, incomplete: str) -> list[str]:
    async def ask(client: KubernetesClient, _: str) -> list[str]:
        from coder_enterprise.oncall.objects import discover

        return [names.singular for names in await discover(client)]

    return _matching(_ask(context, ask), incomplete)


def complete_reason(incomplete: str) -> list[str]:
    from coder_enterprise.kinds.machinery.reasons import Reason

    return _matching([str(reason) for reason in Reason], incomplete)


def complete_target(context: typer.Context, incomplete: str) -> list[str]:
    """KIND/ at first, then KIND/NAME."""
    word, slash, _ = incomplete.partition("/")
    if not slash:
        return [f"{kind}/" for kind in complete_kind(context, incomplete)]

    async def ask(client: KubernetesClient, namespace: str) -> list[str]:
        from coder_enterprise.cluster.paths import custom
        from coder_enterprise.oncall.objects import discover

        collection = custom((await discover(client)).named(word).plural)
        pages = client.pages(collection, namespace, metadata_only=True)
        return [f"{word}/{body['metadata']['name']}" async for page in pages for body in page]

    return _matching(_ask(context, ask), incomplete)


def kubectl() -> None:
    """`kubectl_complete-coder`: what kubectl starts for a Tab after `kubectl coder`."""
    from coder_enterprise.cli.main import app

    words = sys.argv[1:]
    variable = "_CODER_ENTERPRISE_COMPLETE"
    os.environ |= {
        variable: "complete_bash",
        "COMP_WORDS": shlex.join(["coder-enterprise", *words]),
        "COMP_CWORD": str(len(words)),
    }
    offered = io.StringIO()
    with contextlib.redirect_stdout(offered), contextlib.suppress(SystemExit):
        app(prog_name="coder-enterprise", complete_var=variable)
    typer.echo("\n".join([*offered.getvalue().split("\n")[:-1], NO_FILES]).lstrip())


def _matching(words: list[str], incomplete: str) -> list[str]:
    return sorted(word for word in words if word.startswith(incomplete))


def _ask(context: typer.Context, ask: Callable[[KubernetesClient, str], Coroutine[Any, Any, list[str]]]) -> list[str]:
    import asyncio

    async def main() -> list[str]:
        from coder_enterprise.cluster.client import KubernetesClient
        from coder_enterprise.cluster.kubeconfig import access

        chosen = context.params
        found = await access(chosen.get("kubeconfig"), chosen.get("context"))
        async with KubernetesClient(found.settings, "coder-enterprise") as client:
            return await ask(client, chosen.get("namespace") or found.namespace)

    try:
        return asyncio.run(asyncio.wait_for(main(), PATIENCE))
    except Exception:  # noqa: BLE001 - nobody reads an error there
        return []
