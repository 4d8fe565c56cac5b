"""The event loop closes each socket once, and nothing else with it."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import struct
from collections.abc import Iterator

import pytest

from coder_enterprise.process.loop import run
from tests.support.faults import fault


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as there:
        yield there


def reset_by(listener: socket.socket) -> socket.socket:
    """A connection that was reset from there."""
    here = socket.create_connection(listener.getsockname())
    there, _ = listener.accept()
    there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    there.close()
    return here


@fault(
    name="connection reset before TLS begins",
    injected="The peer resets a connection before the first byte is sent, as an API server does that is killed.",
    verdict="The socket is closed once: what has its number next, such as another connection, stays open.",
)
def test_a_socket_that_was_reset_before_tls_began_is_closed_once(listener: socket.socket) -> None:
    async def fail() -> None:
        sock = reset_by(listener)
        number = sock.fileno()
        with pytest.raises(ConnectionError):
            await asyncio.get_running_loop().create_connection(
                asyncio.Protocol, sock=sock, ssl=ssl.create_default_context(), server_hostname="test"
            )
        assert sock.fileno() == -1, "whoever closes it closes nothing"
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(number)

    run(fail())


def test_a_connection_is_made_of_a_socket(listener: socket.socket) -> None:
    async def connect() -> bytes:
        sock = socket.create_connection(listener.getsockname())
        there, _ = listener.accept()
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=sock)
        transport.write(b"hello")
        with there:
            said = await asyncio.to_thread(there.recv, 5)
        transport.close()
        return said

    assert run(connect()) == b"hello"


def test_tls_on_a_connection_that_is_closed_already_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    async def say(message: str, words: str) -> None:
        asyncio.get_running_loop().call_exception_handler({"message": message, "exception": RuntimeError(words)})

    run(say("Fatal error on SSL protocol", "unable to perform operation on <TCPTransport>; the handler is closed"))
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    run(say("Fatal error on SSL protocol", "something else"))
    assert "Fatal error on SSL protocol" in caplog.text
