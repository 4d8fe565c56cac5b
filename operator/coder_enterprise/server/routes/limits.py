"""Rate limits: so many requests a minute from one client, and far fewer guesses at a secret.

Wrapped around the application by `app`, before anybody is authenticated. A client is an address, or a network of IPv6.
It counts in this process alone, as Coder does. Requests are counted by path, as Coder does, and at each door behind
which a secret is that people chose, whatever the path: there, those that hash a password, and those that are refused.

The counters are fixed in number: a key has the one that its hash names, and shares it with others. So keys cost
nothing, and where there are too many of them, the limit refuses more, not less.
"""

from __future__ import annotations

import re
import time
from array import array
from collections.abc import Hashable
from enum import StrEnum
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coder_enterprise.server.routes.answers import envelope
from coder_enterprise.server.routes.clients import network_of
from coder_enterprise.server.routes.dependencies import API

WINDOW: Final = 60.0
"""Seconds."""
PASSWORD_LIMIT: Final = 60
"""Per minute, of requests that hash a password: each costs tens of milliseconds of processor time."""
GUESS_LIMIT: Final = 60
"""Per minute, of requests that are refused because of what they authenticate with."""
COUNTERS: Final = 2**16

_STARTS: Final = frozenset({"http.response.start", "websocket.http.response.start"})
_SLASHES: Final = re.compile("/{2,}")


class Door(StrEnum):
    """Where a secret can be guessed."""

    PASSWORD = "password"  # noqa: S105 - a name
    SCIM = "scim"
    DAEMON = "daemon"
    PROXY = "proxy"


_DOORS: Final[dict[Door, str]] = {
    Door.PASSWORD: f"{API}/users/(?:login|first|[^/]+/password)",
    Door.SCIM: f"(?:{API})?/scim/.*",
    Door.DAEMON: f"{API}/(?:organizations/[^/]+/provisionerdaemons/serve|provisionerkeys/[^/]+)",
    Door.PROXY: f"{API}/workspaceproxies/me/[^/]+",
}
_DOOR: Final = re.compile("|".join(f"(?P<{door}>{path})" for door, path in _DOORS.items()))
_WRONG: Final[dict[Door, frozenset[int]]] = {Door.PASSWORD: frozenset({400, 401})}
"""The statuses of a wrong guess: Coder answers 400 where the old password is wrong that comes with a new one."""


class SlidingWindow:
    """Counts what came within the last minute, by key: the minute before weighs as much of it as reaches into it."""

    def __init__(self) -> None:
        self._window = 0
        self._current, self._previous = _zeros(), _zeros()

    def count(self, key: Hashable, now: float, more: int = 1) -> float:
        """Count `more`; how many there were in the minute that ends at `now` (seconds, any steady clock)."""
        window = int(now // WINDOW)
        if window != self._window:
            self._previous = self._current if window == self._window + 1 else _zeros()
            self._current, self._window = _zeros(), window
        counter = hash(key) % COUNTERS  # of text, it is another one in each process
        self._current[counter] += more
        remaining = 1 - now % WINDOW / WINDOW
        return self._current[counter] + self._previous[counter] * remaining


class RateLimit:
    """ASGI middleware; `limit` is in requests a minute from one client to one path, and none below 1."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit
        self._requests = SlidingWindow()
        self._passwords = SlidingWindow()
        self._guesses = SlidingWindow()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = _SLASHES.sub("/", scope.get("path", ""))
        door = door_of(path)
        if scope["type"] not in ("http", "websocket") or not (door or path.startswith(f"{API}/")):
            await self._app(scope, receive, send)
            return
        client, now = network_of(scope), time.time()
        if door and self._guesses.count((client, door), now, 0) >= GUESS_LIMIT:
            answer = _refusal(f"Too many requests were refused here: {GUESS_LIMIT} a minute are allowed.", {})
            await answer(scope, receive, send)
            return
        noting = self._noting(send, client, door, now) if door else send
        if self._limit < 1:
            await self._app(scope, receive, noting)
            return
        limit, count = self._counted(client, path, door, now)
        headers = _headers(limit, max(0, int(limit - count)), int(now + WINDOW - now % WINDOW) + 1)
        if count > limit:
            answer = _refusal(f"You have been rate limited: {limit} requests a minute are allowed here.", headers)
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, _with(headers, noting))

    def _counted(self, client: str, path: str, door: Door | None, now: float) -> tuple[int, float]:
        """What is allowed, and what has come."""
        if door is Door.PASSWORD:
            return min(self._limit, PASSWORD_LIMIT), self._passwords.count((client, door), now)
        return self._limit, self._requests.count((client, path), now)

    def _noting(self, send: Send, client: str, door: Door, now: float) -> Send:
        """Counts an answer that refuses who asks."""
        wrong = _WRONG.get(door, frozenset({401}))

        async def send_and_note(message: Message) -> None:
            if message["type"] in _STARTS and message["status"] in wrong:
                self._guesses.count((client, door), now)
            await send(message)

        return send_and_note


def door_of(path: str) -> Door | None:
    found = _DOOR.fullmatch(path)
    return Door(str(found.lastgroup)) if found else None


def _zeros() -> array[int]:
    return array("L", bytes(array("L").itemsize * COUNTERS))


def _refusal(message: str, headers: dict[str, str]) -> ASGIApp:
    return envelope(
        429, message, "Wait a minute, and send fewer.", headers={**headers, "Retry-After": str(int(WINDOW))}
    )


def _with(headers: dict[str, str], send: Send) -> Send:
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def send_with_headers(message: Message) -> None:
        if message["type"] in _STARTS:
            message["headers"] = [*message.get("headers", ()), *encoded]
        await send(message)

    return send_with_headers


def _headers(limit: int, remaining: int, reset: int) -> dict[str, str]:
    return {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset": str(reset),
    }
