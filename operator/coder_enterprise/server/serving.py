"""HTTP from its beginning to its end: says where it listens, and lets its clients go before it closes.

Used by `run`. Kubernetes takes a pod out of its Services and sends SIGTERM at the same time, so that new connections
still come for a while. At the first SIGTERM the server says at /readyz that it is not ready, and asks with each answer
that its connection be closed; it goes on for the delay, then it listens no more, and finishes what has begun.
"""

from __future__ import annotations

import asyncio
import functools
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import structlog
import uvicorn
from typing_extensions import override

from coder_enterprise.process.addresses import BACKLOG, url_of
from coder_enterprise.process.signals import when_told_to_end
from coder_enterprise.server.connections import KEEP_ALIVE, Connection
from coder_enterprise.server.handshakes import SecuredListener
from coder_enterprise.server.services.readiness import Readiness
from coder_enterprise.server.tls import ServerCertificate

DRAIN_TIMEOUT: Final = 10
"""Seconds that requests have to finish, once nothing new is accepted."""
MAX_WEBSOCKET_MESSAGE: Final = 256 * 1024
"""Bytes; Coder and its daemons send no larger ones."""

log = structlog.get_logger(__name__)


def scheme_of(certificate: ServerCertificate | None) -> str:
    return "https" if certificate else "http"


def server_config(app: Callable[..., Any]) -> uvicorn.Config:
    """Websockets with dead peers are closed: uvicorn pings each of them."""
    return uvicorn.Config(
        app,
        http=Connection,
        ws="websockets-sansio",
        ws_max_size=MAX_WEBSOCKET_MESSAGE,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # `routes.clients` knows which ones to believe
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=DRAIN_TIMEOUT,
    )


class _Aside(uvicorn.Server):
    @contextmanager
    @override
    def capture_signals(self) -> Iterator[None]:
        """They are the server's."""
        yield


@asynccontextmanager
async def serving_aside(app: Callable[..., Any], listener: socket.socket) -> AsyncIterator[None]:
    """Plain HTTP for whoever looks after the server, at an address of its own, and until the server has ended."""
    server = _Aside(server_config(app))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await task


class Server(uvicorn.Server):
    """Ends with 0 when it is told to end."""

    def __init__(
        self,
        app: Callable[..., Any],
        readiness: Readiness,
        delay: float,
        certificate: ServerCertificate | None = None,
    ) -> None:
        """`delay`: seconds that it goes on after it was told to end. Without a certificate it speaks plain HTTP."""
        super().__init__(server_config(app))
        self._certificate = certificate
        self._readiness = readiness
        self._delay = delay

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """uvicorn itself would wait a minute for each handshake."""
        await super().startup([])
        for listener in sockets or ():
            self.servers.append(await self._listen(listener))
            print(f"listening on {url_of(listener, scheme_of(self._certificate))}", flush=True)

    async def _listen(self, listener: socket.socket) -> Any:
        """What uvicorn closes at the end."""
        make = functools.partial(Connection, self.config, self.server_state, self.lifespan.state)
        if self._certificate:
            return SecuredListener(listener, self._certificate.context, make, self.server_state.connections)
        return await asyncio.get_running_loop().create_server(make, sock=listener, backlog=BACKLOG)

    @contextmanager
    @override
    def capture_signals(self) -> Iterator[None]:
        """For the rest of the process: a second signal must not end it in the middle of its end."""
        when_told_to_end(self.end)
        yield

    def end(self) -> None:
        """After the delay; told once more, at once."""
        if self._readiness.ending or not self._delay:
            self._close()
            return
        log.info("ending", delay=self._delay)
        self._readiness.ending = True
        asyncio.get_running_loop().call_later(self._delay, self._close)

    def _close(self) -> None:
        self._readiness.ending = True
        self.should_exit = True
