"""`coder-enterprise page`: finds the operator, forwards a port to its page, and opens the browser."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer

from coder_enterprise.cli import cluster, screen
from coder_enterprise.cli.options import Context, Kubeconfig

if TYPE_CHECKING:
    from socket import socket

    from coder_enterprise.cluster.client import KubernetesClient
    from coder_enterprise.oncall.page import Page

PORT: Final = 8082
"""Where it is here, unless somebody else is there: so that a bookmark leads to it."""
SIGN_IN: Final = {
    "kubernetes": "Sign in there with a bearer token, such as `kubectl create token NAME --duration 8h` prints.",
    "proxy": "It believes the proxy before it, and nobody who comes another way: open it through the proxy.",
}


def run(
    command: typer.Context,
    namespace: cluster.Namespace = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="On this machine. Default: 8082, or a free one.")
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open it, or only print where it is.")] = True,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Look at it all in a browser: find the operator, forward a port to its page, and open it, until Ctrl-C.

    Without --namespace, the operator is looked for in the namespace of the context, and then in all. To forward the
    port takes the right to create pods/portforward there. Whoever else is on this machine reaches it meanwhile, too.

    Examples:

      coder-enterprise page

      coder-enterprise page --namespace coder --port 9000 --no-browser
    """
    listener = command.with_resource(_listen(command, port))

    async def show(client: KubernetesClient, found: str) -> None:
        import asyncio

        from coder_enterprise.cluster.forwarding import Forward
        from coder_enterprise.oncall.page import find
        from coder_enterprise.process.addresses import url_of
        from coder_enterprise.process.signals import when_told_to_end

        async def look() -> Page:
            return await find(client, namespace or found, elsewhere=namespace is None)

        async def target() -> tuple[str, str, int]:
            page = await look()
            return page.namespace, page.pod, page.port

        ended = asyncio.Event()
        when_told_to_end(ended.set)
        page = await look()
        async with Forward(client, listener, target, screen.say):
            _tell(page, url_of(listener, page.scheme), browser=browser)
            await ended.wait()

    cluster.run_plain(command, show, kubeconfig, context)


def _listen(command: typer.Context, port: int | None) -> socket:
    """Ends the command where it cannot."""
    from coder_enterprise.process.addresses import Address, AddressError, listen

    try:
        return listen("--port", Address("127.0.0.1", PORT if port is None else port))
    except AddressError as error:
        if port is None:
            return listen("--port", Address("127.0.0.1", 0))
        cluster.fail(command, str(error))


def _tell(page: Page, url: str, *, browser: bool) -> None:
    screen.show([url])
    screen.say(f"It is the page of {page.namespace}/{page.pod}, until Ctrl-C.")
    if page.mode in SIGN_IN:
        screen.say(SIGN_IN[page.mode])
    if browser and _has_screen():
        import webbrowser

        webbrowser.open(url)


def _has_screen() -> bool:
    """Elsewhere, a browser of the terminal would be opened in the middle of it."""
    return sys.platform in {"darwin", "win32"} or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
