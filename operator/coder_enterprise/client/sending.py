"""Looks at whether a request may be sent: when it is asked for, when it has its connection, and when it is written.

The sessions of `client.http` and `cluster.client` do so. In between a request may wait for long: for a connection, a
name or a handshake, until a busy server may be asked again, or for as long as the process is stopped. Who may send is
decided elsewhere.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING

import aiohttp
from typing_extensions import override

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

_look: ContextVar[Callable[[], None] | None] = ContextVar("look", default=None)


@contextlib.contextmanager
def looking(look: Callable[[], None]) -> Iterator[None]:
    """Calls `look` now, and right before each request that is made inside is sent, and each time that it is sent again:
    what that raises stops it."""
    look()
    token = _look.set(look)
    try:
        yield
    finally:
        _look.reset(token)


class Connector(aiohttp.TCPConnector):
    """Of sessions whose requests look."""

    @override
    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        look = _look.get()
        if look is not None:
            try:
                look()
            except BaseException:
                connection.release()
                raise
        return connection


class Request(aiohttp.ClientRequest):
    """Of the same sessions. Python writes what has a body a turn of the event loop later, for all that ask at once: a
    process that is stopped in between would go on with all of them."""

    @override
    async def write_bytes(
        self, writer: AbstractStreamWriter, conn: Connection, content_length: int | None = None
    ) -> None:
        look = _look.get()
        try:
            if look is not None:
                look()
        except Exception as error:  # noqa: BLE001 - whoever waits for the answer gets it
            if conn.protocol is not None:
                conn.protocol.set_exception(error)
            return
        await super().write_bytes(writer, conn, content_length)
