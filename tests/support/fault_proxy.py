"""Passes HTTP on to a real server, and does to some requests what networks, gateways and busy servers do.

Between operator and Coder, and between operator and API server, whose TLS it ends with a certificate of its own. A
fault decides about one request: it sends it on or not, and answers as it likes; those of `tests.support.api_server`,
which only answer, can be given to `answering`.
"""

from __future__ import annotations

import asyncio
import itertools
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final
from weakref import WeakSet

import aiohttp
import yaml
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

from tests.support.api_server import Fault as Answer
from tests.support.front import Certificate
from tests.support.loop_thread import LoopThread

NOT_PASSED: Final = {
    *("connection", "keep-alive", "transfer-encoding", "content-length", "host", "accept-encoding", "content-encoding"),
}
"""Headers of one connection, and of bodies that are not passed on as they are."""
HELD: Final = 0.3
"""Seconds that a line of a watch waits for the next one, which is to overtake it."""
CLOSING: Final = 0.1
"""Seconds in which a connection that was aborted closes its socket."""
Chunks = AsyncIterator[bytes]
Change = Callable[[Chunks], Chunks]
"""What becomes of the body of an answer."""
Fault = Callable[["FaultProxy", web.Request], Awaitable[web.StreamResponse]]
Concerned = Callable[[web.Request], bool]


class FaultProxy:
    """A context manager. `url` leads to the server at `target`."""

    def __init__(self, target: str, certificate: Certificate | None = None, ca_file: Path | None = None) -> None:
        self.url = ""
        self.hurt = 0
        """How many requests have met the fault since it was injected."""
        self._target = target
        self._certificate = certificate
        self._trust = ssl.create_default_context(cafile=str(ca_file)) if ca_file else None
        self._fault: Fault = passing
        self._concerned: Concerned = lambda _: True
        self._left = 0
        self._thread = LoopThread("fault proxy")
        self._open: set[asyncio.Task[object]] = set()
        self._transports: WeakSet[asyncio.Transport] = WeakSet()

    def __enter__(self) -> FaultProxy:
        self._thread.start()
        self._thread.run(self._start())
        return self

    def __exit__(self, *exception: object) -> None:
        self._thread.run(self._end())
        self._thread.stop()

    def inject(self, fault: Fault, concerned: Concerned = lambda _: True, *, times: int = 1_000_000) -> None:
        """Into the next requests that it concerns; so often, or until `heal`."""
        self.hurt = 0
        self._fault, self._concerned, self._left = fault, concerned, times

    def heal(self) -> None:
        self._left = 0

    def cut(self) -> None:
        """All that is open now, such as watches."""
        self._thread.run(self._cut())

    def kubeconfig(self, folder: Path, original: Path) -> Path:
        """As the original one, but that it leads here."""
        assert self._certificate is not None
        config = yaml.safe_load(original.read_text())
        authority = folder / "authority.pem"
        authority.write_text(self._certificate.pem)
        config["clusters"][0]["cluster"] = {"server": self.url, "certificate-authority": str(authority)}
        path = folder / "kubeconfig"
        path.write_text(yaml.safe_dump(config))
        return path

    @asynccontextmanager
    async def sent_on(self, request: web.Request) -> AsyncIterator[aiohttp.ClientResponse]:
        """The server's own answer."""
        async with self._session.request(
            request.method,
            self._target + request.raw_path,
            headers=_headers(request.headers),
            data=await request.read() or None,
            skip_auto_headers=["Content-Type"],
            allow_redirects=False,
        ) as answer:
            yield answer

    async def pass_on(self, request: web.Request, change: Change | None = None) -> web.StreamResponse:
        """The same to whom asked, with what `change` makes of its body."""
        async with self.sent_on(request) as answer:
            response = web.StreamResponse(status=answer.status, headers=_headers(answer.headers))
            await response.prepare(request)
            chunks = answer.content.iter_any()
            async for chunk in change(chunks) if change else chunks:
                await response.write(chunk)
            return response

    async def _start(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self._trust or True),
            timeout=aiohttp.ClientTimeout(total=None),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        app = web.Application(client_max_size=1 << 26)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        context = self._certificate.server_context() if self._certificate else None
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context).start()
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _end(self) -> None:
        await self._cut()
        await self._session.close()
        for transport in self._transports:
            transport.abort()
        await self._runner.cleanup()
        while any(not transport.is_closing() for transport in self._transports):
            await asyncio.sleep(0)
        await asyncio.sleep(CLOSING)

    async def _cut(self) -> None:
        tasks = list(self._open)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if isinstance(request.transport, asyncio.Transport):
            self._transports.add(request.transport)
        task = asyncio.create_task(self._once(request))
        self._open.add(task)
        try:
            return await task
        except (asyncio.CancelledError, aiohttp.ClientError, ConnectionError):
            return await reset(self, request)
        finally:
            self._open.discard(task)

    async def _once(self, request: web.Request) -> web.StreamResponse:
        if self._left <= 0 or not self._concerned(request):
            return await self.pass_on(request)
        self._left -= 1
        self.hurt += 1
        return await self._fault(self, request)


def _headers(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in NOT_PASSED)


# Faults


async def passing(proxy: FaultProxy, request: web.Request) -> web.StreamResponse:
    """None."""
    return await proxy.pass_on(request)


async def reset(_: FaultProxy, request: web.Request) -> web.StreamResponse:
    """The connection is cut, and the server never heard of the request."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def lost(proxy: FaultProxy, request: web.Request) -> web.StreamResponse:
    """The server does what it is asked, and the connection is cut before the answer comes."""
    async with proxy.sent_on(request) as answer:
        await answer.read()
    return await reset(proxy, request)


def in_turn(*faults: Fault) -> Fault:
    """Each request meets the next of them, and the first again after the last."""
    turn = itertools.cycle(faults)

    async def fault(proxy: FaultProxy, request: web.Request) -> web.StreamResponse:
        return await next(turn)(proxy, request)

    return fault


def answering(answer: Answer) -> Fault:
    """Something else answers, and the server never hears of it."""

    async def fault(_: FaultProxy, request: web.Request) -> web.StreamResponse:
        return await answer(request)

    return fault


def late(seconds: float) -> Fault:
    """Each answer comes so much later."""

    async def fault(proxy: FaultProxy, request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return await proxy.pass_on(request)

    return fault


def changed(change: Change) -> Fault:
    """The body of each answer is another one."""

    async def fault(proxy: FaultProxy, request: web.Request) -> web.StreamResponse:
        return await proxy.pass_on(request, change)

    return fault


async def truncated(proxy: FaultProxy, request: web.Request) -> web.StreamResponse:
    """Half of the body comes, and then the connection is cut."""

    async def half(chunks: Chunks) -> Chunks:
        body = b"".join([chunk async for chunk in chunks])
        yield body[: len(body) // 2]
        await asyncio.sleep(0.01)
        if request.transport is not None:
            request.transport.abort()

    with suppress(ConnectionError):
        return await proxy.pass_on(request, half)
    return web.Response()


def brief(seconds: float) -> Fault:
    """The answer is cut so long after its beginning: a watch, in the middle of whatever it tells."""

    async def fault(proxy: FaultProxy, request: web.Request) -> web.StreamResponse:
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(seconds):
                return await proxy.pass_on(request)
        return await reset(proxy, request)

    return fault


def trickling(seconds: float) -> Fault:
    """The body comes in ten pieces, each so much after the one before."""

    async def pieces(chunks: Chunks) -> Chunks:
        body = b"".join([chunk async for chunk in chunks])
        size = len(body) // 10 + 1
        for start in range(0, len(body), size):
            await asyncio.sleep(seconds)
            yield body[start : start + size]

    return changed(pieces)


async def lines_of(chunks: Chunks) -> Chunks:
    """Whole lines, each as soon as it is there."""
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line + b"\n"
    if rest:
        yield rest


async def twice(chunks: Chunks) -> Chunks:
    """Each line of a watch comes twice."""
    async for line in lines_of(chunks):
        yield line
        yield line


async def in_pairs_backwards(chunks: Chunks) -> Chunks:
    """Of each two lines of a watch, the second comes first, unless none comes within `HELD` seconds of the other."""
    lines = aiter(lines_of(chunks))
    held, following = b"", asyncio.ensure_future(anext(lines, b""))
    try:
        while True:
            await asyncio.wait([following], timeout=HELD if held else None)
            if following.done():
                line, following = following.result(), asyncio.ensure_future(anext(lines, b""))
                if not line:
                    break
                if not held:
                    held = line
                    continue
                yield line
            yield held
            held = b""
        yield held
    finally:
        following.cancel()


async def stale(chunks: Chunks) -> Chunks:
    """After each line of a watch, the one before comes again."""
    before = b""
    async for line in lines_of(chunks):
        yield line + before
        before = line
