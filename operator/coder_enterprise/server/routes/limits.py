"""The rate limit: so many requests a minute from one address to one path, before anybody is authenticated.

Wrapped around the application by `app`. It counts in this process alone, as Coder does. Two counters per key make a
sliding window: what came in the last minute, with the minute before weighted by what still reaches into the window.
The library that counts so looks through all keys at every request, which ten thousand groups make too many.
"""

from __future__ import annotations

import ipaddress
import time
from collections import Counter
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coder_enterprise.server.routes.answers import envelope
from coder_enterprise.server.routes.dependencies import API

WINDOW: Final = 60.0
"""Seconds."""
PASSWORD_LIMIT: Final = 60
"""Per minute, of requests that hash a password: each costs some 50 ms of processor time."""
PASSWORD_PATHS: Final = frozenset({f"{API}/users/login", f"{API}/users/first"})
MAX_KEYS: Final = 100_000
IPV6_PREFIX: Final = 64


class SlidingWindow:
    """Counts what came within the last minute, by key; memory is bounded by what came in two minutes."""

    def __init__(self) -> None:
        self._window = 0
        self._current: Counter[str] = Counter()
        self._previous: Counter[str] = Counter()

    def count(self, key: str, now: float) -> float:
        """Count one more; how many there were in the minute that ends at `now` (seconds, any steady clock)."""
        window = int(now // WINDOW)
        if window != self._window:
            self._previous = self._current if window == self._window + 1 else Counter()
            self._current, self._window = Counter(), window
        if len(self._current) < MAX_KEYS or key in self._current:
            self._current[key] += 1
        remaining = 1 - now % WINDOW / WINDOW
        return self._current[key] + self._previous[key] * remaining


class RateLimit:
    """ASGI middleware; `limit` is in requests a minute, and none below 1."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit
        self._counts = SlidingWindow()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http" or self._limit < 1 or not path.startswith(f"{API}/"):
            await self._app(scope, receive, send)
            return
        limit = min(self._limit, PASSWORD_LIMIT) if path in PASSWORD_PATHS else self._limit
        now = time.time()
        count = self._counts.count(f"{_network(scope)} {path}", now)
        headers = _headers(limit, max(0, int(limit - count)), int(now + WINDOW - now % WINDOW) + 1)
        if count > limit:
            answer = envelope(
                429,
                f"You have been rate limited: {limit} requests a minute to one path are allowed.",
                "Wait a minute, and send fewer.",
                headers={**headers, "Retry-After": str(int(WINDOW))},
            )
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, _with(headers, send))


def _with(headers: dict[str, str], send: Send) -> Send:
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] += encoded
        await send(message)

    return send_with_headers


def _headers(limit: int, remaining: int, reset: int) -> dict[str, str]:
    return {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset": str(reset),
    }


def _network(scope: Scope) -> str:
    """The address; of IPv6 the network, since one sender has all of it."""
    host = scope["client"][0] if scope.get("client") else ""
    if ":" not in host:
        return str(host)
    return str(ipaddress.ip_network((host.partition("%")[0], IPV6_PREFIX), strict=False))
