"""One spelling of each path, before anything looks at it: the outermost layer of the application.

Clients join an address that ends in a slash with a path that begins with one, and Coder takes both for the same; some
identity providers end the path of a list with a slash. Nothing else is corrected.
"""

from __future__ import annotations

import re
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from coder_enterprise.server.routes.dependencies import API
from coder_enterprise.server.services.scim import MOUNT

_SLASHES: Final = re.compile("/{2,}")
_SCIM: Final = (f"{MOUNT}/", f"{API}{MOUNT}/")


class OneSpelling:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            path = canonical(scope["path"])
            if path != scope["path"]:
                scope = {**scope, "path": path, "raw_path": path.encode()}
        await self._app(scope, receive, send)


def canonical(path: str) -> str:
    once = _SLASHES.sub("/", path)
    return once.rstrip("/") if once.startswith(_SCIM) else once
