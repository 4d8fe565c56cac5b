"""How the page listens: so many connections and no more, and no request that takes for ever to say what it wants.

Used by the server of the page. What is refused here has never been a request, and is not logged: parts of what was
sent would be, and a token may be among them.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler
from aiohttp.web_protocol import RequestHandler, RequestPayloadError
from typing_extensions import override

from coder_enterprise.process.certificates import ServerCertificate

MAX_CONNECTIONS: Final = 768
"""With those whose stream of events is open. The operator needs files of its own."""
KEEPALIVE: Final = 75.0
"""Seconds that a connection may be silent between two requests."""
HEAD_TIMEOUT: Final = 20.0
"""Seconds until the first request of a connection must be there."""
HANDSHAKE_TIMEOUT: Final = 10.0


LEFT: Final = "Transport is closing"
"""What asyncio calls it that nobody waits for a file any more."""


class _NoRequests(logging.Filter):
    """Lets nothing through of what was sent and is no request, and of who left before the answer."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        left = isinstance(error, RuntimeError) and str(error) == LEFT
        return not left and not isinstance(error, (HttpProcessingError, RequestPayloadError))


LOGGER: Final = logging.getLogger("coder_enterprise.page.http")
LOGGER.addFilter(_NoRequests())


class _Surplus(asyncio.Protocol):
    """A connection too many."""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.abort()


class Listening:
    """An asynchronous context manager; it closes `listener` at its end."""

    def __init__(
        self, app: web.Application, listener: socket.socket, certificate: ServerCertificate | None, end_timeout: float
    ) -> None:
        """`end_timeout` are the seconds that requests have at the end."""
        app.middlewares.insert(0, self._note)
        self._silent: set[asyncio.BaseProtocol] = set()
        """Connections that have asked for nothing yet."""
        self._listener = listener
        self._certificate = certificate
        self._runner = web.AppRunner(
            app,
            access_log=None,
            logger=LOGGER,
            keepalive_timeout=KEEPALIVE,
            shutdown_timeout=end_timeout,
            # Of any request, as it arrives: some hundred kilobytes would take the operator a second.
            auto_decompress=False,
        )

    async def __aenter__(self) -> Listening:
        await self._runner.setup()
        secured = self._certificate is not None
        self._server = await asyncio.get_running_loop().create_server(
            self._connect,
            sock=self._listener,
            ssl=self._certificate.context if self._certificate else None,
            ssl_handshake_timeout=HANDSHAKE_TIMEOUT if secured else None,
        )
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._server.close()
        await self._runner.cleanup()

    def _connect(self) -> asyncio.Protocol:
        """For each connection that is there, after its handshake."""
        server = self._runner.server
        if server is None or len(server.connections) >= MAX_CONNECTIONS:
            return _Surplus()
        protocol = server()
        self._silent.add(protocol)
        asyncio.get_running_loop().call_later(HEAD_TIMEOUT, self._expect_request, protocol)
        return protocol

    def _expect_request(self, protocol: RequestHandler) -> None:
        if protocol in self._silent:
            self._silent.discard(protocol)
            protocol.force_close()

    @web.middleware
    async def _note(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self._silent.discard(request.protocol)
        return await handler(request)
