"""A small load generator: prepared requests over keep-alive connections, and how long each answer took.

Written for the bench alone, so that the client costs a tenth of what a server costs: the server's figures would be the
client's otherwise. It understands answers with a Content-Length, and nothing else.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

from typing_extensions import override

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Load:
    """What came of it."""

    answered: int
    failed: int
    """Answers of 4xx and 5xx."""
    seconds: float
    latencies: Sequence[float]
    """Seconds, sorted."""

    @property
    def rate(self) -> float:
        return self.answered / self.seconds

    def percentile(self, share: float) -> float:
        """Milliseconds."""
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * share))] * 1000


def request(method: str, url: str, token: str, body: bytes = b"") -> bytes:
    """As it is sent."""
    parts = urlsplit(url)
    lines = [f"{method} {parts.path} HTTP/1.1", f"Host: {parts.netloc}", f"Coder-Session-Token: {token}"]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def drive(
    urls: Sequence[str], requests: Iterator[bytes], seconds: float, connections: int, per_second: float = 0
) -> Load:
    """For so long, or until there are no more requests: as fast as answers come, or so many a second, whether answers
    come or not."""
    started = time.perf_counter()
    pace = _paced(started, per_second) if per_second else itertools.repeat(0.0)
    wires = [await _wire(url) for url, _ in zip(itertools.cycle(urls), range(connections), strict=False)]
    latencies: list[float] = []
    failed = 0

    async def work(wire: _Wire) -> None:
        nonlocal failed
        for due in pace:
            if time.perf_counter() >= started + seconds or due >= started + seconds:
                return
            if due:
                await asyncio.sleep(due - time.perf_counter())
            if (message := next(requests, None)) is None:
                return
            sent = due or time.perf_counter()  # who waits for a connection waits for the server
            failed += await wire.exchange(message) >= 400
            latencies.append(time.perf_counter() - sent)

    await asyncio.gather(*map(work, wires))
    taken = time.perf_counter() - started
    for wire in wires:
        wire.close()
    return Load(len(latencies), failed, taken, sorted(latencies))


def _paced(started: float, per_second: float) -> Iterator[float]:
    return (started + number / per_second for number in itertools.count())


class _Wire(asyncio.Protocol):
    """One connection, with one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer = b""
        self._done: asyncio.Future[int] | None = None

    async def exchange(self, sent: bytes) -> int:
        """The status of the answer. Raises `ConnectionError`."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionError("the server closed the connection")
        self._done = asyncio.get_running_loop().create_future()
        self._transport.write(sent)
        return await self._done

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # of uvloop, it is none by its class

    @override
    def data_received(self, data: bytes) -> None:
        self._answer += data
        head = self._answer.find(b"\r\n\r\n")
        if head < 0 or self._done is None:
            return
        length = _LENGTH.search(self._answer, 0, head)
        if len(self._answer) < head + 4 + (int(length[1]) if length else 0):
            return
        status, self._answer = int(self._answer[9:12]), b""
        if not self._done.done():
            self._done.set_result(status)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(ConnectionError("the server closed the connection"))


async def _wire(url: str) -> _Wire:
    host, _, port = urlsplit(url).netloc.rpartition(":")
    _, wire = await asyncio.get_running_loop().create_connection(_Wire, host, int(port))
    return wire
