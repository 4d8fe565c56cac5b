"""Tells who reads the wire profile `codersdk` that this server answers in the other one.

Wrapped around the application by `app` where the profile is `documented`. Such clients do not fail at once there: what
they miss is zero to them, and Terraform then blames itself. Nothing is refused, for whoever writes a program in Go may
well read the page's shapes.
"""

from __future__ import annotations

import re
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coder_enterprise.server.routes.clients import network_of

MAX_TOLD: Final = 1000
"""Clients that the log names, each once; the header comes with every answer."""
HEADER: Final = b"x-coder-entitlements-warning"
"""The one that Coder's command line shows to whoever typed the command."""
HINT: Final = (
    "This server answers in the wire profile documented, and this client reads codersdk: values can be missing or "
    "zero. Set CODER_WIRE_PROFILE=codersdk on the server."
)

_COMMAND_LINE: Final = re.compile(rb"coder-cli/")
_TERRAFORM: Final = re.compile(rb"(?i).*terraform")
_GO: Final = re.compile(rb"Go-http-client/")
"""How Go's SDK calls itself, and with it the Terraform provider; it brings a header of Coder's own."""
_TOKEN: Final = b"coder-session-token"

log = structlog.get_logger(__name__)


class ProfileHints:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._told: set[tuple[str, str]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = _reads_codersdk(scope) if scope["type"] == "http" else None
        if client is None:
            await self._app(scope, receive, send)
            return
        self._tell_once(scope, client)

        async def send_with_hint(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (HEADER, HINT.encode())]
            await send(message)

        await self._app(scope, receive, send_with_hint)

    def _tell_once(self, scope: Scope, client: str) -> None:
        key = (network_of(scope), client)
        if key in self._told or len(self._told) >= MAX_TOLD:
            return
        self._told.add(key)
        log.warning("a client reads another wire profile", client=key[0], announces=client, hint=HINT)


def _reads_codersdk(scope: Scope) -> str | None:
    """What the client calls itself, without its version, where that is a reader of `codersdk`."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    agent = headers.get(b"user-agent", b"")
    if _COMMAND_LINE.match(agent):
        return "coder-cli"
    if _TERRAFORM.match(agent):
        return "Terraform"
    return "Go's SDK" if _GO.match(agent) and _TOKEN in headers else None
