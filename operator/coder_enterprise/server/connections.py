"""What one connection may take of the server: bytes of a head, time for a request, unread bytes of an answer.

uvicorn makes one `Connection` for each client (see `serving.server_config`) and limits none of that itself. A client
that is over a limit is refused and its connection closed, before anything is routed; when there are too many
connections, those that wait for their clients make room. How large a body may be is `routes.bodies`' to say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final

import structlog
from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

MAX_HEAD: Final = 64 * 1024
"""Bytes of the request line and all header fields, and of what is neither head nor content, such as trailers."""
MAX_FIELDS: Final = 200
"""Header fields: each costs more than its bytes."""
MAX_FRAMING: Final = 8
"""Bytes of chunked encoding for each byte of content: a chunk of one byte has five of them."""
HEAD_TIMEOUT: Final = 10.0
"""Seconds from a connection, or from the first byte of a head, to the end of the head."""
BODY_TIMEOUT: Final = 60.0
"""Seconds from the end of the head to the end of the body."""
WRITE_TIMEOUT: Final = 60.0
"""Seconds in which a client must read so much of an answer that the rest can be sent."""
GOODBYE_TIMEOUT: Final = 3.0
"""Seconds in which an idle client of TLS may agree to the end; it may not even read."""
KEEP_ALIVE: Final = 75
"""Seconds without a request. Common ingresses keep their connections for 60: it must be they who close them."""
MAX_CONNECTIONS: Final = 1000
"""All clients together, with their websockets. A process may often have no more than 1024 files open."""
MAX_UNREAD: Final = 64 * 1024 * 1024
"""Bytes of answers that all clients together have not read yet."""

log = structlog.get_logger(__name__)


class Connection(HttpToolsProtocol):
    """uvicorn's protocol, with limits."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._in_message = False
        self._in_head = False
        self._began_now = False
        self._taken = 0
        self._content = 0
        self._refusal: tuple[int, str] | None = None
        self._reading: asyncio.TimerHandle | None = None
        self._writing: asyncio.TimerHandle | None = None
        self.waits_since = self.loop.time()
        """For the next request of its client, by the loop's clock."""

    @property
    def waits(self) -> bool:
        """The client owes the next bytes."""
        return self._in_message or self._is_idle

    @property
    def _is_idle(self) -> bool:
        """Nothing is being answered; before the first request uvicorn has no cycle."""
        return bool(getattr(self.cycle, "response_complete", True))

    @property
    def unread(self) -> int:
        """Bytes that the client does not take; 0 where it takes what comes."""
        return self.transport.get_write_buffer_size() if self._writing is not None else 0

    # Its beginning and end.

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect(HEAD_TIMEOUT)
        if len(self.connections) > MAX_CONNECTIONS and not _make_room(self.connections, self):
            self._refuse(503, "The server has too many connections; try again in a moment.")

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._expect(None)
        self._is_read()
        super().connection_lost(exc)

    @override
    def shutdown(self) -> None:
        """At the server's end."""
        super().shutdown()
        if self._is_secured and self._is_idle:
            self.loop.call_later(GOODBYE_TIMEOUT, self.transport.abort)

    def make_room(self) -> None:
        """Be gone at once: TLS would wait for the client."""
        if self._is_secured:
            self.transport.abort()
        else:
            self.close()

    @property
    def _is_secured(self) -> bool:
        return self.scheme == "https"

    @override
    def handle_websocket_upgrade(self) -> None:
        self._expect(None)
        super().handle_websocket_upgrade()

    # What comes in.

    @override
    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if not self._in_message and self._reading is None:
            self._expect(HEAD_TIMEOUT)  # the parser does not tell of empty lines before a head
        self._began_now = False
        super().data_received(data)
        if self._in_message and not self._began_now:
            self._count(len(data))

    @override
    def on_message_begin(self) -> None:
        self._in_message = self._in_head = self._began_now = True
        self._taken = self._content = 0
        self._expect(HEAD_TIMEOUT)
        super().on_message_begin()

    @override
    def on_headers_complete(self) -> None:
        if len(self.headers) > MAX_FIELDS:
            self._refuse_from_parser(431, f"The request has more than {MAX_FIELDS} header fields.")
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > MAX_HEAD:
            self._refuse_from_parser(431, f"The request's head is larger than {MAX_HEAD} bytes.")
        self._in_head = False
        self._expect(BODY_TIMEOUT)
        super().on_headers_complete()

    @override
    def on_body(self, body: bytes) -> None:
        self._content += len(body)
        super().on_body(body)

    @override
    def on_message_complete(self) -> None:
        self._in_message = False
        self._expect(None)
        super().on_message_complete()

    @override
    def on_response_complete(self) -> None:
        self.waits_since = self.loop.time()
        super().on_response_complete()

    @override
    def send_400_response(self, msg: str) -> None:
        """What uvicorn does with all that the parser raises, and with what our own callbacks raise."""
        status, message = self._refusal or (400, msg)
        self._refuse(status, message)

    def _count(self, size: int) -> None:
        """The parser keeps a header field until it is whole, and says nothing of what it skips."""
        self._taken += size
        if self._taken > MAX_HEAD + self._content * (1 + MAX_FRAMING):
            self._refuse(431, f"The request's head or trailers are larger than {MAX_HEAD} bytes.")

    def _expect(self, seconds: float | None) -> None:
        """The client's next step within `seconds`; None is at any time."""
        if self._reading is not None:
            self._reading.cancel()
        self._reading = None if seconds is None else self.loop.call_later(seconds, self._is_late)

    def _is_late(self) -> None:
        self._reading = None
        if self._in_message:
            self._refuse(408, "The request did not come in time.")
        else:
            self.transport.close()

    def _refuse_from_parser(self, status: int, message: str) -> None:
        self._refusal = status, message
        raise ValueError(message)

    def _refuse(self, status: int, message: str) -> None:
        """Close the connection: with this answer, unless another one has begun."""
        if self.transport.is_closing():
            return
        if not self.pipeline and (self._is_idle or not (self._in_head or self.cycle.response_started)):
            content = message.encode()
            head = f"content-type: text/plain; charset=utf-8\r\ncontent-length: {len(content)}\r\nconnection: close"
            self.transport.write(STATUS_LINE[status] + head.encode() + b"\r\n\r\n" + content)
        self.close()

    def close(self) -> None:
        """Send what is still to be sent, for as long as the client reads."""
        self._expect(None)
        self.transport.close()
        if self.transport.get_write_buffer_size():
            self._is_unread()

    # What goes out.

    @override
    def pause_writing(self) -> None:
        super().pause_writing()
        self._is_unread()
        _limit_unread(self.connections)

    @override
    def resume_writing(self) -> None:
        self._is_read()
        super().resume_writing()

    @property
    def unread_since(self) -> float:
        return self._writing.when() if self._writing is not None else 0.0

    def abort(self) -> None:
        log.warning("a client that does not read its answer is cut off", unread=self.unread)
        self.transport.abort()

    def _is_unread(self) -> None:
        if self._writing is None:
            self._writing = self.loop.call_later(WRITE_TIMEOUT, self.abort)

    def _is_read(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None


def _make_room(connections: Iterable[Any], newcomer: Connection) -> bool:
    """Close the one that waits longest for its client; false when none does."""
    waiting = [each for each in connections if isinstance(each, Connection) and each is not newcomer and each.waits]
    if not waiting:
        return False
    min(waiting, key=lambda each: each.waits_since).make_room()
    return True


def _limit_unread(connections: Iterable[Any]) -> None:
    """Those who have not read for longest make room for the others."""
    stalled = [each for each in connections if isinstance(each, Connection) and each.unread]
    excess = sum(each.unread for each in stalled) - MAX_UNREAD
    for each in sorted(stalled, key=lambda each: each.unread_since):
        if excess <= 0:
            return
        excess -= each.unread
        each.abort()
