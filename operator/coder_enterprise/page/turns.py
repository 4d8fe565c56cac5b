"""One request is looked at, and one page made, at a time; then the rest of the operator has as long as that took.

Taken by the server for each request, and by handlers before they make something of all objects. A thousand people who
look at once wait for each other; visits and the renewal of Leases, in the same event loop, do not wait for them.
"""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler


class Turns:
    def __init__(self) -> None:
        self._free = asyncio.Lock()

    async def take(self) -> None:
        """Whoever has it works until it waits for something: then the turn is over by itself."""
        await self._free.acquire()
        loop = asyncio.get_running_loop()
        loop.call_soon(self._end, loop.time())

    def _end(self, begun: float) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(loop.time() - begun, self._free.release)


ARRIVALS: Final = web.AppKey("arrivals", Turns)
"""For requests as they come: apart from pages, so that a stylesheet does not wait for those."""
PAGES: Final = web.AppKey("pages", Turns)


def set_up(app: web.Application) -> None:
    """Before all else that a request passes."""
    app[ARRIVALS], app[PAGES] = Turns(), Turns()
    app.middlewares.insert(0, _arrive)


async def turn(request: web.Request, of: web.AppKey[Turns] = PAGES) -> None:
    """Raises `HTTPRequestTimeout` where nobody waits for the answer any more: it would be made for nobody."""
    await request.app[of].take()
    if request.transport is None or request.transport.is_closing():
        raise web.HTTPRequestTimeout


@web.middleware
async def _arrive(request: web.Request, handler: Handler) -> web.StreamResponse:
    await turn(request, ARRIVALS)
    return await handler(request)
