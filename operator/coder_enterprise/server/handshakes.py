"""Accepts connections of TLS, and limits those that have not agreed on it yet.

Made by `serving`, in the place of an `asyncio.Server`: that one tells nobody of a connection before its handshake is
done, so those that never do it could not be counted. What happens on a connection afterwards is `connections`' to say.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Collection
from typing import Any, Final

import structlog

from coder_enterprise.server import connections

TIMEOUTS: Final[dict[str, Any]] = {
    "ssl_handshake_timeout": connections.HEAD_TIMEOUT,
    "ssl_shutdown_timeout": connections.WRITE_TIMEOUT,
}
"""Of each connection. The second one is for a client that reads the last of what it was sent, too."""
SPARE: Final = 10
"""Handshakes that there may be when the connections themselves are as many as may be: one of them makes room then."""
PAUSE: Final = 0.1
"""Seconds until the next attempt, when the process can open no more files."""

log = structlog.get_logger(__name__)


class SecuredListener:
    """`make` is the protocol of a connection, `established` are those whose handshake is done."""

    def __init__(
        self,
        listener: socket.socket,
        context: ssl.SSLContext,
        make: Callable[[], asyncio.Protocol],
        established: Collection[object],
    ) -> None:
        listener.setblocking(False)
        self.sockets = (listener,)
        self._context = context
        self._make = make
        self._established = established
        self._handshakes: dict[asyncio.Task[None], socket.socket] = {}
        """The oldest first."""
        self._accepting = asyncio.create_task(self._accept(listener))

    def close(self) -> None:
        """Accept no more. Who has not agreed yet has sent no request, and will not be served here."""
        self._accepting.cancel()
        for client in self._handshakes.values():
            _cut_off(client)

    async def wait_closed(self) -> None:
        await asyncio.gather(self._accepting, *self._handshakes, return_exceptions=True)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, _ = await loop.sock_accept(listener)
            except OSError as error:
                log.warning("a connection cannot be accepted", error=error.strerror)
                await asyncio.sleep(PAUSE)
                continue
            self._make_room()
            task = asyncio.create_task(self._agree(client))
            self._handshakes[task] = client
            task.add_done_callback(self._handshakes.pop)

    async def _agree(self, client: socket.socket) -> None:
        """The transport closes what does not come to an end, and has no use for the reason."""
        with contextlib.suppress(OSError):
            await asyncio.get_running_loop().connect_accepted_socket(self._make, client, ssl=self._context, **TIMEOUTS)

    def _make_room(self) -> None:
        limit = max(connections.MAX_CONNECTIONS - len(self._established), SPARE)
        for client in list(self._handshakes.values())[: len(self._handshakes) + 1 - limit]:
            _cut_off(client)


def _cut_off(client: socket.socket) -> None:
    """Its transport notices, and closes it."""
    with contextlib.suppress(OSError):
        client.shutdown(socket.SHUT_RDWR)
