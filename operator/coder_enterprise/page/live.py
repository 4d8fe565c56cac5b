"""`/live`: tells who looks that something has changed, as server-sent events; what, their page reads anew.

An event says that there is something new and carries nothing of it: a stream holds one number, however slowly it is
read, and a page that was away knows by that number whether it missed something.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterator
from typing import Final

from aiohttp import hdrs, web

from coder_enterprise.cluster.errors import KubernetesError
from coder_enterprise.controller.view import View
from coder_enterprise.kinds.machinery.resource import Key
from coder_enterprise.page.access.gate import GATE
from coder_enterprise.page.access.identity import IDENTITY
from coder_enterprise.page.access.limits import TooMany
from coder_enterprise.page.access.reviews import VIEWER
from coder_enterprise.page.sight import Sight, sight
from coder_enterprise.page.site import Site

BREATH: Final = 0.5
"""Seconds between two events at least: a thousand changes are one."""
GLANCE: Final = 2.0
"""Seconds between two looks whether they are still there."""
HEARTBEAT: Final = 15.0
"""Seconds of silence after which a sign of life is sent; and it is asked anew what they may see."""
STUCK: Final = 60.0
"""Seconds after which who does not read is let go."""
MAX_STREAMS: Final = 500
MAX_ABOUT: Final = 200
HEADERS: Final = {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}

routes = web.RouteTableDef()


class Listener:
    """One who looks, and whether there is something new for them."""

    def __init__(self, transport: asyncio.Transport, see: Sight, about: frozenset[str]) -> None:
        """`about` are those keys that matter, as `Kind/namespace/name`; none named is all that they see."""
        self.sight = see
        self._gone = False
        self._transport = transport
        self._about = about
        self._news = asyncio.Event()

    def tell(self, key: Key) -> None:
        if self.heeds(key):
            self._news.set()

    def heeds(self, key: Key) -> bool:
        return self.sight.sees(key) and (not self._about or "/".join(key) in self._about)

    def touch(self) -> None:
        """There is something new, whatever it is."""
        self._news.set()

    def leave(self) -> None:
        self._gone = True
        self._news.set()

    @property
    def away(self) -> bool:
        return self._gone or self._transport.is_closing()

    @property
    def reads(self) -> bool:
        """What was sent before is out of our hands."""
        return self._transport.get_write_buffer_size() == 0

    async def wait(self, seconds: float) -> bool:
        """Until there is news, which is taken; False when there was none within that time, or they left."""
        until = asyncio.get_running_loop().time() + seconds
        while not self.away and (left := until - asyncio.get_running_loop().time()) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(GLANCE, left)):
                    await self._news.wait()
                self._news.clear()
                return not self._gone
        return False


class Streams:
    """All who listen."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._secret = secrets.token_bytes(32)
        self._listeners: set[Listener] = set()
        self._unsubscribe: Callable[[], None] | None = None

    def __len__(self) -> int:
        return len(self._listeners)

    def number(self, see: Sight | None) -> str:
        """Of what somebody sees who sees so much: it changes with that alone, and says nothing of how much else has
        changed. That of another process is never the same."""
        if see is None:
            return ""
        view = self._view
        seen = (number for place, number in view.revisions.items() if see.shows(*place))
        newest = view.revision if see.whole else max(seen, default=0)
        return hmac.new(self._secret, b"%d" % newest, hashlib.sha256).hexdigest()[:16]

    @contextlib.contextmanager
    def listening(self, listener: Listener) -> Iterator[None]:
        self._listeners.add(listener)
        if self._unsubscribe is None:
            self._unsubscribe = self._view.subscribe(self._tell)
        try:
            yield
        finally:
            self._listeners.discard(listener)
            if not self._listeners and self._unsubscribe is not None:
                self._unsubscribe()
                self._unsubscribe = None

    def looked_at(self, key: Key) -> bool:
        """Whether somebody looks who would be told of that object."""
        return any(listener.heeds(key) for listener in self._listeners)

    def end(self) -> None:
        """The page ends, and waits for all who listen."""
        for listener in self._listeners:
            listener.leave()

    def _tell(self, key: Key) -> None:
        for listener in self._listeners:
            listener.tell(key)


STREAMS: Final = web.AppKey("streams", Streams)


def set_up(app: web.Application, site: Site) -> None:
    streams = app[STREAMS] = Streams(site.view)

    async def end(_: web.Application) -> None:
        streams.end()

    app.on_shutdown.append(end)


@routes.get("/live")
async def live(request: web.Request) -> web.StreamResponse:
    """`seen` is the number of the page that asks, and `about` which objects are on it."""
    streams = request.app[STREAMS]
    if len(streams) >= MAX_STREAMS:
        raise TooMany("too many pages follow what happens", HEARTBEAT)
    transport, response = request.transport, web.StreamResponse(headers=HEADERS)
    if transport is None:
        return response
    if request.method == hdrs.METH_HEAD:
        return web.Response(headers=HEADERS)
    about = frozenset(request.query.getall("about", [])[:MAX_ABOUT])
    listener = Listener(transport, await sight(request), about)
    with request.app[GATE].streams.one(request[IDENTITY].user), streams.listening(listener):
        await response.prepare(request)
        seen = request.headers.get("Last-Event-ID") or request.query.get("seen")
        with contextlib.suppress(ConnectionError, KubernetesError, web.HTTPUnauthorized):
            await _send(response, streams, listener, "hello" if seen == streams.number(listener.sight) else "changed")
            await _follow(request, response, listener)
    return response


async def _follow(request: web.Request, response: web.StreamResponse, listener: Listener) -> None:
    """Until they leave, do not read, or are nobody any more."""
    clock = asyncio.get_running_loop().time
    read_at = looked_at = clock()
    while not listener.away and clock() - read_at < STUCK and await request[VIEWER].is_still_there():
        await asyncio.sleep(BREATH)
        news = await listener.wait(HEARTBEAT)
        if clock() - looked_at > HEARTBEAT / 2:
            before, listener.sight, looked_at = listener.sight, await sight(request), clock()
            news = news or before != listener.sight
        if not listener.reads:
            if news:
                listener.touch()
            continue
        read_at = clock()
        if not listener.away:
            await _send(response, request.app[STREAMS], listener, "changed" if news else "beat")


async def _send(response: web.StreamResponse, streams: Streams, listener: Listener, event: str) -> None:
    await response.write(f"id: {streams.number(listener.sight)}\nevent: {event}\ndata:\n\n".encode())
