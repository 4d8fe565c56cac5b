"""What every answer of the page tells the browser not to do.

Nothing is loaded from elsewhere, and no script or style is taken from within a page: a name from Coder that got there
in spite of all escaping would be shown, and not run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp import hdrs, web

STATIC: Final = "/static/"
"""Below it is what is the same for everybody."""

_POLICY: Final = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
_FEATURES: Final = ("camera", "display-capture", "geolocation", "microphone", "payment", "usb")

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in _POLICY.items()),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{name}=()" for name in _FEATURES),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


async def add(request: web.Request, response: web.StreamResponse) -> None:
    """When an answer begins, whatever made it: streams and refusals, too."""
    response.headers.update(HEADERS)
    response.headers.popall(hdrs.SERVER, None)
    is_static = request.path.startswith(STATIC) and response.status in {200, 304}
    # Asked each time whether it is still the same: after an upgrade it is not.
    response.headers[hdrs.CACHE_CONTROL] = "no-cache" if is_static else "no-store"
