"""What one connection may take: heads, time, and answers that nobody reads."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable

import pytest
from starlette.types import Receive, Scope, Send

from coder_enterprise.server import connections
from tests.support.serving import TIMEOUT, eventually, serving

LARGE = 32 * 1024 * 1024
"""Bytes of the answer to GET /large: more than sockets keep."""
HEAD = b"GET /%s HTTP/1.1\r\nHost: x\r\n"


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """The length of the body, or at /large an answer of many bytes."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message["body"]), message["more_body"]
    body = bytes(LARGE) if scope["path"] == "/large" else str(size).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, data: bytes) -> None:
        """Whether or not somebody still reads it."""
        with contextlib.suppress(ConnectionError):
            self._writer.write(data)
            await self._writer.drain()

    async def read(self, size: int) -> bytes:
        return await self._reader.readexactly(size)

    async def status(self) -> int:
        async with asyncio.timeout(TIMEOUT):
            head = await self._reader.readuntil(b"\r\n\r\n")
        return int(head.split()[1])

    async def is_closed(self) -> bool:
        """Waits for it."""
        async with asyncio.timeout(TIMEOUT):
            with contextlib.suppress(ConnectionError):
                await self._reader.read()
        return True

    def close(self) -> None:
        self._writer.transport.abort()


Connect = Callable[[], asyncio.Future[Client]]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    clients: list[Client] = []

    async def open_one(address: str) -> Client:
        host, _, port = address.partition(":")
        client = Client(*await asyncio.open_connection(host, int(port), limit=1024))
        clients.append(client)
        return client

    async with serving(answer) as address:
        yield functools.partial(open_one, address)  # type: ignore[misc]
        for client in clients:
            client.close()


async def test_a_request_is_answered_and_its_connection_kept(connect: Connect) -> None:
    client = await connect()
    for _ in range(2):
        await client.send(HEAD % b"x" + b"Content-Length: 3\r\n\r\nabc")
        assert await client.status() == 200
        assert await client.read(1) == b"3"


@pytest.mark.parametrize("size", [connections.MAX_HEAD, 10 * connections.MAX_HEAD])
async def test_a_head_of_more_bytes_is_refused(connect: Connect, size: int) -> None:
    client = await connect()
    await client.send(HEAD % (b"x" * size) + b"\r\n")
    assert await client.status() == 431
    assert await client.is_closed()


async def test_a_head_of_more_fields_is_refused(connect: Connect) -> None:
    client = await connect()
    await client.send(HEAD % b"x" + b"a: b\r\n" * connections.MAX_FIELDS + b"\r\n")
    assert await client.status() == 431


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (HEAD % b"x", b"name: value\r\n"),
        (HEAD % b"x" + b"name: ", b"value"),
        (HEAD % b"x" + b"Transfer-Encoding: chunked\r\n\r\n0\r\nname: ", b"value"),
    ],
    ids=["fields", "one field", "a trailer"],
)
async def test_what_never_ends_is_refused(connect: Connect, start: bytes, piece: bytes) -> None:
    client = await connect()
    await client.send(start)
    sending = asyncio.create_task(_send_for_ever(client, piece * 1000))
    assert await client.status() == 431
    sending.cancel()


async def _send_for_ever(client: Client, piece: bytes) -> None:
    while True:
        await client.send(piece)
        await asyncio.sleep(0)


async def test_a_body_in_the_smallest_chunks_is_read(connect: Connect) -> None:
    client = await connect()
    await client.send(HEAD % b"x" + b"Transfer-Encoding: chunked\r\n\r\n")
    await client.send(b"1\r\nx\r\n" * 100_000 + b"0\r\n\r\n")
    assert await client.status() == 200
    assert await client.read(6) == b"100000"


@pytest.mark.parametrize(
    ("constant", "sent", "status"),
    [
        ("HEAD_TIMEOUT", HEAD % b"x", 408),
        ("BODY_TIMEOUT", HEAD % b"x" + b"Content-Length: 3\r\n\r\nab", 408),
    ],
    ids=["head", "body"],
)
async def test_what_does_not_come_in_time_is_refused(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, constant: str, sent: bytes, status: int
) -> None:
    monkeypatch.setattr(connections, constant, 0.05)
    client = await connect()
    await client.send(sent)
    assert await client.status() == status
    assert await client.is_closed()


@pytest.mark.parametrize("sent", [b"", b"\r\n"])
async def test_a_connection_on_which_nothing_comes_is_closed(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(connections, "HEAD_TIMEOUT", 0.05)
    client = await connect()
    await client.send(sent)
    assert await client.is_closed()


async def test_empty_lines_do_not_keep_a_connection(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await connect()
    await client.send(HEAD % b"x" + b"\r\n")
    assert await client.status() == 200
    monkeypatch.setattr(connections, "HEAD_TIMEOUT", 0.05)
    await client.send(b"\r\n")
    assert await client.is_closed()


async def test_those_that_wait_longest_make_room(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 2)
    first = await connect()
    await first.send(HEAD % b"x" + b"Content-Length: 3\r\n\r\n")
    second, third = await connect(), await connect()
    await third.send(HEAD % b"x" + b"\r\n")
    assert await third.status() == 200
    assert await first.is_closed()
    await second.send(HEAD % b"x" + b"\r\n")
    assert await second.status() == 200


@pytest.fixture
def cut_off(monkeypatch: pytest.MonkeyPatch) -> list[connections.Connection]:
    """Which were, so far."""
    seen: list[connections.Connection] = []
    abort = connections.Connection.abort

    def note(connection: connections.Connection) -> None:
        seen.append(connection)
        abort(connection)

    monkeypatch.setattr(connections.Connection, "abort", note)
    return seen


async def test_a_client_that_does_not_read_is_cut_off(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, cut_off: list[connections.Connection]
) -> None:
    monkeypatch.setattr(connections, "WRITE_TIMEOUT", 0.05)
    await (await connect()).send(HEAD % b"large" + b"\r\n")
    await eventually(lambda: cut_off)


async def test_of_those_who_do_not_read_the_first_makes_room(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, cut_off: list[connections.Connection]
) -> None:
    monkeypatch.setattr(connections, "MAX_UNREAD", LARGE)
    first, second = await connect(), await connect()
    await first.send(HEAD % b"large" + b"\r\n")
    await first.status()
    await second.send(HEAD % b"large" + b"\r\n")
    await eventually(lambda: len(cut_off) == 1)
    assert await second.status() == 200
    assert len(await second.read(LARGE)) == LARGE
