"""One line in the log for a request that has been answered; `app` calls it.

Writes are logged, and reads only where somebody debugs. A line names no token and no query, which may hold one. It has
the id that the answer has, which a client may choose (X-Request-Id), and those of a W3C trace (traceparent).
"""

from __future__ import annotations

import logging
import random
import re
import uuid
from typing import Final

import structlog
from starlette.types import Scope

from coder_enterprise.server.routes.clients import address_of

MAX_ID: Final = 128
"""Characters of an id that a client brings."""
_ID_FORM: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=-]*")
_TRACE_FORM: Final = re.compile("[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")

_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_USER: Final = "coder_enterprise.user"

SECRETS: Final = "/provisionerkeys/"
"""What follows it directly below the API's root is a secret: Coder's clients send a provisioner key in its own path."""

log = structlog.get_logger(__name__)


def request_id(scope: Scope) -> str:
    """The client's own X-Request-Id where it is one, or else a new one."""
    sent = _header(scope, b"x-request-id")
    return sent if len(sent) <= MAX_ID and _ID_FORM.fullmatch(sent) else _new_id()


def _new_id() -> str:
    """It need be no secret, and random bytes of the kernel make every other thread wait."""
    return str(uuid.UUID(int=random.getrandbits(128), version=4))


def user_agent(scope: Scope) -> str:
    return _header(scope, b"user-agent")


def _header(scope: Scope, name: bytes) -> str:
    value: bytes = next((value for key, value in scope["headers"] if key == name), b"")
    return value.decode("latin-1")


def _path(scope: Scope) -> str:
    before, found, _ = str(scope["path"]).partition(SECRETS)
    is_secret = found and "/organizations/" not in before
    return f"{before}{found}…" if is_secret else str(scope["path"])


def note_user(scope: Scope, username: str) -> None:
    """Who sent the request: whatever authenticates it knows."""
    scope[_USER] = username


def user_of(scope: Scope) -> str | None:
    """As it was noted; None until then."""
    username: str | None = scope.get(_USER)
    return username


def report(scope: Scope, request_id: str, status: int, seconds: float, fault: Exception | None = None) -> None:
    """`seconds` is how long the answer took; `fault` what made it fail."""
    method = scope.get("method", "GET")  # a websocket has none
    if fault is None and status < 500 and method in _READS and not log.is_enabled_for(logging.DEBUG):
        return
    fields = {
        "request_id": request_id,
        "method": method,
        "route": getattr(scope.get("route"), "path", None),
        "status": status,
        "duration_ms": round(seconds * 1000, 1),
        "user": user_of(scope),
        "client": address_of(scope),
    }
    if trace := _TRACE_FORM.fullmatch(_header(scope, b"traceparent")):
        fields |= {"trace_id": trace[1], "span_id": trace[2]}
    if fault is not None:
        log.error("a fault of the server", **fields, path=_path(scope), exc_info=fault)
    elif status >= 500:
        log.error("a request that could not be served", **fields, path=_path(scope))
    elif method in _READS:
        log.debug("a read", **fields)
    else:
        log.info("a write", **fields)
