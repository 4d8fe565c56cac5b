"""The event loop of the programs that stay: uvloop, with two of its faults mended. Imported when a command runs."""

from __future__ import annotations

import logging
import socket
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import uvloop
from typing_extensions import override

T = TypeVar("T")

_CLOSED: Final = "the handler is closed"

log = logging.getLogger(__name__)


class Loop(uvloop.Loop):
    @override
    async def create_connection(self, *arguments: Any, sock: socket.socket | None = None, **named: Any) -> Any:
        # A connection that was reset before the first byte of TLS was sent closes the file descriptor, and leaves its
        # number in `sock`. When that is collected, it closes whatever has that number by then, such as another
        # connection, of which uvloop says for ever that it uses it: "File descriptor 14 is used by transport".
        try:
            return await super().create_connection(*arguments, sock=sock, **named)
        except BaseException:
            if sock is not None:
                sock.detach()
            raise

    @override
    def call_exception_handler(self, context: dict[str, Any]) -> None:
        # TLS on a connection that was closed while it shook hands: nobody waits for it any more.
        if _CLOSED in str(context.get("exception")) and "SSL" in context.get("message", ""):
            log.debug("a connection was closed while it shook hands")
        else:
            super().call_exception_handler(context)


def run(main: Coroutine[Any, Any, T]) -> T:
    return uvloop.run(main, loop_factory=Loop)
