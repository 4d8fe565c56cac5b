"""One line in the log for a request that has been answered; `app` calls it.

Writes are logged, and reads only where somebody debugs. A line names no token and no query, which may hold one.
"""

from __future__ import annotations

from typing import Final

import structlog
from starlette.types import Scope

_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_USER: Final = "coder_enterprise.user"

log = structlog.get_logger(__name__)


def note_user(scope: Scope, username: str) -> None:
    """Who sent the request: whatever authenticates it knows."""
    scope[_USER] = username


def report(scope: Scope, request_id: str, status: int, seconds: float, fault: Exception | None = None) -> None:
    """`seconds` is how long the answer took; `fault` what made it fail."""
    method = scope.get("method", "GET")  # a websocket has none
    fields = {
        "request_id": request_id,
        "method": method,
        "route": getattr(scope.get("route"), "path", None),
        "status": status,
        "duration_ms": round(seconds * 1000, 1),
        "user": scope.get(_USER),
    }
    if fault is not None:
        log.error("a fault of the server", **fields, path=scope["path"], exc_info=fault)
    elif status >= 500:
        log.error("a request that could not be served", **fields, path=scope["path"])
    elif method in _READS:
        log.debug("a read", **fields)
    else:
        log.info("a write", **fields)
