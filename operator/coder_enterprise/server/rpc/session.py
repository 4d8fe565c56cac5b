"""A yamux session over anything that receives and sends bytes: a websocket, or a socket in the tests.

`calls` opens and accepts its streams. It owns three tasks, which read, write and keep the connection alive, and ends
them when it is left. Whoever waits on it or on one of its streams when it ends gets `SessionClosed`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final, TypeAlias

from coder_enterprise.server.budgets import Budget, OverBudget, Share
from coder_enterprise.wire.provisioning import yamux

Receive: TypeAlias = Callable[[], Awaitable[bytes]]
"""The next bytes of the peer, b"" when it has closed the connection."""
Send: TypeAlias = Callable[[bytes], Awaitable[None]]
"""Returns when the bytes are on their way; backpressure starts here."""

MESSAGE_LIMIT: Final = 128 * 1024
"""Bytes that are sent at once. Coder and its daemons read websocket messages of at most 256 KiB."""
OUTPUT_LIMIT: Final = 256 * 1024
"""Bytes that may wait to be sent before streams have to wait."""
ANSWER_LIMIT: Final = 1024 * 1024
"""Bytes that may wait to be sent before nothing more is read: a peer that asks and never listens."""
HELD_LIMIT: Final = 8 * 1024 * 1024
"""Bytes that the peer may have sent and nobody has used yet, on all streams: two of the largest packets."""
KEEPALIVE_INTERVAL: Final = 30.0
KEEPALIVE_TIMEOUT: Final = 10.0
WRITE_TIMEOUT: Final = 10.0
CLOSE_TIMEOUT: Final = 2.0


class SessionClosed(Exception):
    """The session has ended. `failed` when it was not by a side that closed it."""

    def __init__(self, message: str, failed: bool = False) -> None:
        super().__init__(message)
        self.failed = failed


class StreamReset(Exception):
    """The peer has ended this stream, or never accepted it."""


class Session:
    """Use it as a context; it speaks as `role` over `receive` and `send`, which stay the caller's to close.

    What the peer makes it hold counts for `budget`; a stream that would go over it is reset.
    """

    def __init__(self, role: yamux.Role, receive: Receive, send: Send, budget: Budget | None = None) -> None:
        self.budget = budget or Budget(HELD_LIMIT)
        self._yamux = yamux.Side(role)
        self._receive = receive
        self._send = send
        self._streams: dict[int, Stream] = {}
        self._opened: deque[Stream] = deque()
        self._changed = asyncio.Event()
        self._output = asyncio.Event()
        self._last_pong = -1
        self._ended: SessionClosed | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Session:
        self._writer = asyncio.create_task(self._guard(self._write))
        self._tasks = [
            self._writer,
            asyncio.create_task(self._guard(self._read)),
            asyncio.create_task(self._guard(self._keep_alive)),
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._yamux.go_away()
        self._end(SessionClosed("the session is closed"))
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    await asyncio.shield(self._writer)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            for stream in self._streams.values():
                stream.drop()

    async def accept(self) -> Stream:
        """The next stream that the peer opens. Raises `SessionClosed`."""
        await self.until(lambda: bool(self._opened))
        stream = self._opened.popleft()
        self._yamux.accept(stream.id)
        self._output.set()
        return stream

    async def open(self) -> Stream:
        """Open a stream; waits while the peer has many to accept. Raises `SessionClosed`."""
        await self.until(lambda: self._yamux.can_open)
        self.check()
        try:
            stream = Stream(self, self._yamux.open())
        except yamux.SessionDead as error:
            raise SessionClosed(str(error), failed=True) from None
        self._streams[stream.id] = stream
        self._output.set()
        return stream

    # For `Stream`.

    def check(self) -> None:
        if self._ended is not None:
            raise SessionClosed(str(self._ended), self._ended.failed)

    async def until(self, ready: Callable[[], bool]) -> None:
        """Wait until `ready`. Raises `SessionClosed` when that will never be."""
        while not ready():
            self.check()
            self._changed.clear()
            await self._changed.wait()

    def has_room(self, stream: Stream) -> bool:
        return self._yamux.pending < OUTPUT_LIMIT and self._yamux.window(stream.id) > 0

    def transmit(self, stream: Stream, data: memoryview) -> int:
        self.check()
        self._output.set()
        return self._yamux.send(stream.id, data)

    def consumed(self, stream: Stream, size: int) -> None:
        self._yamux.consumed(stream.id, size)
        self._output.set()

    def leave(self, stream: Stream, at_once: bool) -> None:
        """Nothing is sent on this stream any more, and what comes is dropped."""
        if self._streams.get(stream.id) is stream:
            del self._streams[stream.id]
            end = self._yamux.reset if at_once else self._yamux.finish
            end(stream.id)
        self._output.set()
        self._changed.set()

    # The tasks.

    async def _guard(self, work: Callable[[], Awaitable[None]]) -> None:
        """Whatever ends one of the tasks ends the session, for all who wait on it."""
        try:
            await work()
        except SessionClosed:
            return
        except TimeoutError:
            self._end(SessionClosed("the peer does not answer in time", failed=True))
        except Exception as error:  # noqa: BLE001 - the transport's, of any kind; raised where the session is used
            self._end(SessionClosed(f"the connection failed: {error}", failed=True))

    def _end(self, reason: SessionClosed) -> None:
        self._ended = self._ended or reason
        self._output.set()
        self._changed.set()

    async def _read(self) -> None:
        while data := await self._receive():
            self._yamux.receive(data)
            try:
                while (event := self._yamux.next_event()) is not None:
                    self._take(event)
            except yamux.SessionDead as error:
                return self._end(SessionClosed(str(error), failed=True))
            finally:
                self._output.set()
                self._changed.set()
            await self.until(lambda: self._yamux.pending < ANSWER_LIMIT)
        return self._end(SessionClosed("the peer closed the connection"))

    def _take(self, event: yamux.Event) -> None:
        if isinstance(event, yamux.Opened):
            stream = self._streams[event.stream] = Stream(self, event.stream)
            self._opened.append(stream)
        elif isinstance(event, yamux.Pong):
            self._last_pong = event.number
        elif isinstance(event, yamux.Data | yamux.Finished | yamux.Reset) and event.stream in self._streams:
            try:
                self._streams[event.stream].take(event)
            except OverBudget:
                self._streams[event.stream].reset()
            if isinstance(event, yamux.Reset):
                self._forget(self._streams.pop(event.stream))

    def _forget(self, stream: Stream) -> None:
        """Nobody need accept a stream that was reset."""
        with contextlib.suppress(ValueError):
            self._opened.remove(stream)

    async def _write(self) -> None:
        """Until the session has ended and what it still had to say is said."""
        while self._yamux.pending or self._ended is None:
            if self._yamux.pending:
                data = self._yamux.data_to_send(MESSAGE_LIMIT)
                async with asyncio.timeout(WRITE_TIMEOUT):
                    await self._send(data)
                self._changed.set()
            else:
                self._output.clear()
                await self._output.wait()

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(KEEPALIVE_INTERVAL)
            self.check()
            number = self._yamux.ping()
            self._output.set()
            async with asyncio.timeout(KEEPALIVE_TIMEOUT):
                await self.until(lambda: self._last_pong == number)  # noqa: B023 - it is done before the next turn


class Stream:
    """One stream of a session, for one reader and one writer. `close` or `reset` must follow."""

    def __init__(self, session: Session, stream_id: int) -> None:
        self.id = stream_id
        self._session = session
        self._share = Share(session.budget)
        self._received = bytearray()
        self._finished = False
        self._reset = False
        self._left = False

    @property
    def budget(self) -> Budget:
        """What the stream's user holds of its data counts here, too."""
        return self._session.budget

    async def read(self) -> bytes:
        """What has arrived, b"" when the peer sends nothing more. Raises `StreamReset` and `SessionClosed`."""
        await self._session.until(lambda: bool(self._received) or self._finished or self._dead)
        self._check()
        data = bytes(self._received)
        self.drop()
        if data:
            self._session.consumed(self, len(data))
        return data

    async def write(self, data: bytes) -> None:
        """Returns when all is on its way, at the pace of the peer. Raises `StreamReset` and `SessionClosed`."""
        rest = memoryview(data)
        while rest:
            await self._session.until(lambda: self._dead or self._session.has_room(self))
            self._check()
            rest = rest[self._session.transmit(self, rest) :]

    def close(self) -> None:
        """Send nothing more, and drop what still comes."""
        self._leave(at_once=False)

    def reset(self) -> None:
        """End the stream at once, so that the peer sees it broken."""
        self._leave(at_once=True)

    def take(self, event: yamux.Data | yamux.Finished | yamux.Reset) -> None:
        """For the session: what came for this stream. Raises `OverBudget`."""
        if isinstance(event, yamux.Data):
            self._share.resize(len(self._received) + len(event.data))
            self._received += event.data
        elif isinstance(event, yamux.Finished):
            self._finished = True
        else:
            self._reset = True
            self.drop()

    @property
    def _dead(self) -> bool:
        return self._reset or self._left

    def _check(self) -> None:
        if self._dead:
            raise StreamReset(f"stream {self.id} was reset" if self._reset else f"stream {self.id} is closed")

    def _leave(self, at_once: bool) -> None:
        if not self._left:
            self._left = True
            self.drop()
            self._session.leave(self, at_once)

    def drop(self) -> None:
        """What has arrived and was not read."""
        self._received.clear()
        self._share.resize(0)
