"""Calls over a session: the server's handlers behind `serve`, a daemon's calls with `call` and `open_call`.

Each call is one stream. A caller that goes away, or a session that ends, cancels the handler. Unread messages wait in
the window of their stream, so a slow handler slows its caller down and nobody else.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from typing import Final, Generic, TypeAlias, TypeVar

import structlog
from google.protobuf.message import DecodeError, Message

from coder_enterprise.server.budgets import OverBudget, Share
from coder_enterprise.server.rpc.session import Session, SessionClosed, Stream, StreamReset
from coder_enterprise.server.tasks import until_first
from coder_enterprise.wire.provisioning import drpc

M = TypeVar("M", bound=Message)
Answer = TypeVar("Answer", bound=Message)

INVOKE_TIMEOUT: Final = 30.0
"""Seconds from the opening of a stream to the name of the method."""
PACKET_TIMEOUT: Final = 60.0
"""Seconds from a packet's first byte to its last."""
LEAVE_TIMEOUT: Final = 10.0
"""Seconds from the answer until the caller has closed the stream."""

log = structlog.get_logger(__name__)


class RPCError(Exception):
    """A call that failed, raised by a handler and at the caller's; the text travels to the other side."""

    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(text)
        self.code = code


class _Channel:
    """A call on its stream; what it holds counts for the session's budget until `close`."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.call = drpc.Call()
        self._partial = Share(stream.budget)

    async def next_event(self) -> drpc.Event | None:
        """None when nothing more comes. Raises `OverBudget`, and `TimeoutError` for a packet that does not end."""
        deadline = None
        while (event := self.call.next_event()) is None:
            self._partial.resize(self.call.held)
            if self.call.held and deadline is None:
                deadline = asyncio.get_running_loop().time() + PACKET_TIMEOUT
            async with asyncio.timeout_at(deadline):
                data = b"" if self.call.over else await self.stream.read()
            if not data:
                return None
            self.call.receive(data)
        self._partial.resize(self.call.held)
        return event

    def close(self) -> None:
        self._partial.resize(0)
        self.stream.close()

    async def send(self, message: Message) -> None:
        try:
            data = self.call.message(message.SerializeToString())
        except drpc.TooLarge as error:
            raise RPCError(str(error)) from None
        await self.stream.write(data)


class Messages(Generic[M]):
    """The messages of the other side, one after the other."""

    def __init__(self, kind: type[M], receive: Callable[[], Awaitable[bytes | None]]) -> None:
        self._kind = kind
        self._receive = receive

    def __aiter__(self) -> Messages[M]:
        return self

    async def __anext__(self) -> M:
        data = await self._receive()
        if data is None:
            raise StopAsyncIteration
        try:
            return self._kind.FromString(data)
        except DecodeError:
            raise RPCError(f"{self._kind.DESCRIPTOR.name}: the message cannot be read") from None


# The side that is called.


class IncomingCall:
    """One call, as its handler sees it."""

    def __init__(self, channel: _Channel) -> None:
        self._channel = channel
        self._messages: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=1)
        self._unused = Share(channel.stream.budget)
        self._in_use = 0

    def messages(self, kind: type[M]) -> Messages[M]:
        return Messages(kind, self._next)

    async def send(self, message: Message) -> None:
        """Raises `RPCError` when the message is too large."""
        await self._channel.send(message)

    async def watch(self) -> None:
        """Until the caller is gone, or the call is over."""
        while (event := await self._channel.next_event()) is not None:
            if isinstance(event, drpc.Message):
                self._unused.resize(self._unused.size + len(event.data))
                await self._messages.put(event.data)
            elif isinstance(event, drpc.SendClosed):
                await self._messages.put(None)

    def close(self) -> None:
        self._unused.resize(0)

    async def _next(self) -> bytes | None:
        """Who asks for the next message has used the one before."""
        self._unused.resize(self._unused.size - self._in_use)
        self._in_use = 0
        data = await self._messages.get()
        self._in_use = len(data or b"")
        return data


Handler: TypeAlias = Callable[[IncomingCall], Awaitable[None]]


def unary(request: type[M], answer: Callable[[M], Awaitable[Message]]) -> Handler:
    """A method with one request and one answer."""

    async def handle(incoming: IncomingCall) -> None:
        async for message in incoming.messages(request):
            return await incoming.send(await answer(message))
        raise RPCError(f"{request.DESCRIPTOR.name}: the request is missing")

    return handle


def streaming(request: type[M], answer: Callable[[Messages[M]], AsyncGenerator[Message, None]]) -> Handler:
    """A method with messages both ways: an asynchronous generator of the answers.

    A caller that has what it wants may leave at once, and the generator with it: what must be done comes before the
    last `yield`.
    """

    async def handle(incoming: IncomingCall) -> None:
        async with contextlib.aclosing(answer(incoming.messages(request))) as answers:
            async for message in answers:
                await incoming.send(message)

    return handle


async def serve(session: Session, handlers: Mapping[str, Handler]) -> None:
    """Answer calls until the peer closes the session. Raises `SessionClosed` when it ends in any other way.

    The keys of `handlers` are paths such as `/provisionerd.ProvisionerDaemon/UpdateJob`.
    """
    calls: set[asyncio.Task[None]] = set()
    try:
        while True:
            call = asyncio.create_task(_answer(await session.accept(), handlers))
            calls.add(call)
            call.add_done_callback(calls.discard)
    except SessionClosed as closed:
        if closed.failed:
            raise
    finally:
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)


async def _answer(stream: Stream, handlers: Mapping[str, Handler]) -> None:
    channel = _Channel(stream)
    try:
        async with asyncio.timeout(INVOKE_TIMEOUT):
            event = await channel.next_event()
        if isinstance(event, drpc.Invoked):
            await _run(channel, event.path, handlers.get(event.path))
            await _let_leave(stream)
    except (drpc.DRPCError, OverBudget, TimeoutError) as error:
        log.warning("a provisioner daemon's call is broken off", error=str(error) or "the caller is too slow")
        stream.reset()
    except (StreamReset, SessionClosed):
        pass  # the caller has left
    finally:
        channel.close()


async def _let_leave(stream: Stream) -> None:
    """Wait for the caller to close the stream: Go's client fails a call whose stream ends while it still says that it
    has no more to send, although the answer is there. Coder's daemons never close the one that brought them a job."""
    try:
        async with asyncio.timeout(LEAVE_TIMEOUT):
            while await stream.read():
                pass
    except TimeoutError:
        stream.reset()


async def _run(channel: _Channel, path: str, handler: Handler | None) -> None:
    """Handle a call for as long as its caller is there."""
    if handler is None:
        error = RPCError(f"unknown rpc: {path}", drpc.UNIMPLEMENTED)
        return await channel.stream.write(channel.call.error(str(error), error.code))
    incoming = IncomingCall(channel)
    try:
        for outcome in await until_first(_handle(channel, incoming, path, handler), incoming.watch()):
            if isinstance(outcome, Exception):
                raise outcome
    finally:
        incoming.close()
    return None


async def _handle(channel: _Channel, incoming: IncomingCall, path: str, handler: Handler) -> None:
    try:
        await handler(incoming)
        last = channel.call.close_send()
    except RPCError as error:
        last = channel.call.error(str(error), error.code)
    except (drpc.DRPCError, StreamReset, SessionClosed):
        raise
    except Exception:
        log.exception("a provisioner daemon's call failed", path=path)
        last = channel.call.error("internal error")
    await channel.stream.write(last)


# The side that calls.


class OutgoingCall(Generic[M]):
    """An open call, as its caller sees it."""

    def __init__(self, channel: _Channel, answer: type[M]) -> None:
        self._channel = channel
        self._ended = False
        self.answers: Final = Messages(answer, self._receive)

    async def send(self, message: Message) -> None:
        """Raises `RPCError`, `StreamReset` and `SessionClosed`."""
        await self._channel.send(message)

    async def close_send(self) -> None:
        """Send no more messages; answers still come."""
        await self._channel.stream.write(self._channel.call.close_send())

    async def _receive(self) -> bytes | None:
        if self._ended:
            return None
        event = await self._channel.next_event()
        if isinstance(event, drpc.Message):
            return event.data
        self._ended = True
        if isinstance(event, drpc.Failed):
            raise RPCError(event.text, event.code)
        if not isinstance(event, drpc.SendClosed | drpc.Closed):
            raise RPCError("the call was broken off")
        return None


@contextlib.asynccontextmanager
async def open_call(
    session: Session, path: str, answer: type[M], metadata: Mapping[str, str] | None = None
) -> AsyncIterator[OutgoingCall[M]]:
    """Call a method with messages both ways; leaving the context ends the call, and cancels it where it runs."""
    channel = _Channel(await session.open())
    try:
        await channel.stream.write(channel.call.invoke(path, metadata))
        yield OutgoingCall(channel, answer)
    finally:
        channel.close()


async def call(
    session: Session, path: str, request: Message, answer: type[M], metadata: Mapping[str, str] | None = None
) -> M:
    """Call a method with one request and one answer. Raises `RPCError`, `StreamReset` and `SessionClosed`."""
    async with open_call(session, path, answer, metadata) as opened:
        await opened.send(request)
        await opened.close_send()
        async for message in opened.answers:
            return message
    raise RPCError("the call ended without an answer")
