"""How the page listens: what never becomes a request costs little, and is in no log."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp.compression_utils import ZLibDecompressor

from coder_enterprise.page import serving
from tests.support.page import Served, Shown
from tests.support.waiting import TIMEOUT

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
HEAD = b"GET /static/page.css HTTP/1.1\r\nHost: localhost\r\n"


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def is_ended(reader: asyncio.StreamReader) -> bool:
    """By the page, without an answer."""
    try:
        async with asyncio.timeout(TIMEOUT):
            return await reader.read(1) == b""
    except ConnectionError:
        return True


async def status(connection: Connection) -> bytes:
    reader, writer = connection
    writer.write(HEAD + b"\r\n")
    async with asyncio.timeout(TIMEOUT):
        return (await reader.readline()).split()[1]


@pytest.mark.parametrize(
    "request_",
    [b"Authorization: Bearer secret\x00\r\n\r\n", b"Authorization: Bearer " + b"secret" * 2_000 + b"\r\n\r\n"],
)
async def test_what_is_no_request_is_in_no_log(shown: Shown, caplog: pytest.LogCaptureFixture, request_: bytes) -> None:
    with caplog.at_level(logging.DEBUG):
        async with Served(shown) as url, connected(url) as (reader, writer):
            writer.write(HEAD + request_)
            async with asyncio.timeout(TIMEOUT):
                assert b" 400 " in await reader.readline()
    assert "secret" not in caplog.text


async def test_who_leaves_before_a_file_is_sent_is_in_no_log(
    shown: Shown, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = asyncio.BaseEventLoop.sendfile

    async def leave_first(
        loop: asyncio.BaseEventLoop, transport: asyncio.WriteTransport, *what: Any, **how: Any
    ) -> int:
        transport.abort()
        return await send(loop, transport, *what, **how)

    monkeypatch.setattr(asyncio.BaseEventLoop, "sendfile", leave_first)
    async with Served(shown) as url, connected(url) as (reader, writer):
        writer.write(HEAD + b"\r\n")
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(TIMEOUT):
                await reader.read()
    assert not [record for record in caplog.records if record.name == serving.LOGGER.name]


async def test_what_is_sent_packed_is_not_unpacked(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked = []

    def unpack(*_: object, **__: object) -> bytes:
        unpacked.append(True)
        raise ValueError

    monkeypatch.setattr(ZLibDecompressor, "decompress_sync", unpack)
    body = gzip.compress(bytes(1_000_000))
    packed = b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with Served(shown) as url, connected(url) as (reader, writer):
        writer.write(HEAD + packed + body)
        async with asyncio.timeout(TIMEOUT):
            assert b" 200 " in await reader.readline()
        assert await status((reader, writer))
    assert not unpacked


async def test_who_says_nothing_is_let_go(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "HEAD_TIMEOUT", 0.2)
    async with Served(shown) as url, connected(url) as (silent, _), connected(url) as (slow, writer):
        writer.write(HEAD)
        assert await is_ended(silent)
        assert await is_ended(slow)


async def test_who_has_asked_for_something_stays(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "HEAD_TIMEOUT", 0.2)
    async with Served(shown) as url, connected(url) as asking, connected(url) as (silent, _):
        assert await status(asking) == b"200"
        assert await is_ended(silent)
        assert not asking[0].at_eof()


async def test_there_are_so_many_connections_and_no_more(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "MAX_CONNECTIONS", 2)
    async with Served(shown) as url, connected(url) as one, connected(url) as two:
        assert [await status(one), await status(two)] == [b"200", b"200"]
        async with connected(url) as (surplus, _):
            assert await is_ended(surplus)
        one[1].close()
        await one[1].wait_closed()

        async def again() -> bytes:
            async with connected(url) as three:
                return await status(three)

        async with asyncio.timeout(TIMEOUT):
            while True:
                try:
                    assert await again() == b"200"
                    break
                except (ConnectionError, IndexError):
                    await asyncio.sleep(0)
