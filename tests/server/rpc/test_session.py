"""Yamux over a connection: streams, backpressure, and how a session ends."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest

from coder_enterprise.server.budgets import Budget
from coder_enterprise.server.rpc import session as sessions
from coder_enterprise.server.rpc.session import Session, SessionClosed, Stream, StreamReset
from coder_enterprise.wire.provisioning import yamux
from coder_enterprise.wire.provisioning.yamux import Role
from tests.support.pipes import End, connection

pytestmark = pytest.mark.looptime


@contextlib.asynccontextmanager
async def both_sides() -> AsyncIterator[tuple[Session, Session]]:
    here, there = connection()
    async with (
        Session(Role.CLIENT, here.receive, here.send) as client,
        Session(Role.SERVER, there.receive, there.send) as server,
    ):
        yield client, server


async def read_all(stream: Stream) -> bytes:
    received = b""
    while data := await stream.read():
        received += data
    return received


async def settled() -> None:
    """Everything that can happen without waiting for time has happened."""
    for _ in range(100):
        await asyncio.sleep(0)


async def test_what_is_written_on_one_side_is_read_on_the_other() -> None:
    async with both_sides() as (client, server):
        mine = await client.open()
        theirs = await server.accept()
        await mine.write(b"question")
        assert await theirs.read() == b"question"
        await theirs.write(b"answer")
        theirs.close()
        assert await read_all(mine) == b"answer"


async def test_more_than_a_window_arrives_whole_at_the_pace_of_the_reader() -> None:
    data = bytes(range(256)) * 16 * 1024
    async with both_sides() as (client, server):
        stream = await client.open()
        writing = asyncio.create_task(stream.write(data))
        theirs = await server.accept()
        await settled()
        assert not writing.done()
        received = bytearray()
        while len(received) < len(data):
            piece = await theirs.read()
            assert len(piece) <= yamux.INITIAL_WINDOW
            received += piece
        await writing
        assert received == data


async def test_a_reader_who_does_not_read_stops_only_its_own_stream() -> None:
    async with both_sides() as (client, server):
        slow, quick = await client.open(), await client.open()
        writing = asyncio.create_task(slow.write(bytes(2 * yamux.INITIAL_WINDOW)))
        await settled()
        await server.accept()
        theirs = await server.accept()
        await quick.write(b"through")
        assert await theirs.read() == b"through"
        assert not writing.done()
        writing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await writing


async def test_messages_are_small_enough_for_coder_and_its_daemons() -> None:
    here, there = connection()
    async with (
        Session(Role.CLIENT, here.receive, here.send) as client,
        Session(Role.SERVER, there.receive, there.send) as server,
    ):
        streams = [await client.open() for _ in range(8)]
        writes = [asyncio.create_task(stream.write(bytes(yamux.INITIAL_WINDOW))) for stream in streams]
        for _ in streams:
            await server.accept()
        await asyncio.gather(*writes)
    assert here.largest == sessions.MESSAGE_LIMIT <= 256 * 1024


async def test_it_works_over_a_real_socket() -> None:
    left, right = socket.socketpair()
    ends = [await asyncio.open_connection(sock=each) for each in (left, right)]
    data = bytes(1024 * 1024)

    async def run(role: Role, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        async def send(message: bytes) -> None:
            writer.write(message)
            await writer.drain()

        async with Session(role, lambda: reader.read(65536), send) as session:
            if role is Role.SERVER:
                return await read_all(await session.accept())
            stream = await session.open()
            await stream.write(data)
            stream.close()
            with pytest.raises(SessionClosed):
                await session.accept()
            return data

    server = asyncio.create_task(run(Role.SERVER, *ends[1]))
    client = asyncio.create_task(run(Role.CLIENT, *ends[0]))
    assert await server == data
    ends[1][1].close()
    assert await client == data
    ends[0][1].close()
    for _, writer in ends:
        await writer.wait_closed()


async def test_a_reset_stream_says_so_to_those_who_wait_on_it() -> None:
    async with both_sides() as (client, server):
        stream = await client.open()
        reading = asyncio.create_task(stream.read())
        writing = asyncio.create_task(stream.write(bytes(2 * yamux.INITIAL_WINDOW)))
        (await server.accept()).reset()
        for waiting in (reading, writing):
            with pytest.raises(StreamReset):
                await waiting


async def test_streams_that_were_reset_before_anybody_accepted_them_are_forgotten() -> None:
    here, there = connection()
    async with Session(Role.SERVER, here.receive, here.send) as session:
        for number in range(1, 1001, 2):
            flags = (yamux.SYN, yamux.RST if number < 999 else 0)
            await there.send(
                b"".join(yamux.HEADER.pack(0, yamux.Kind.WINDOW_UPDATE, flag, number, 0) for flag in flags)
            )
        assert (await session.accept()).id == 999


async def test_a_stream_that_is_left_drops_what_still_comes() -> None:
    async with both_sides() as (client, server):
        stream = await client.open()
        theirs = await server.accept()
        theirs.close()
        await stream.write(b"nobody reads this")
        assert await stream.read() == b""
        with pytest.raises(StreamReset):
            await theirs.write(b"x")


async def test_everybody_learns_that_the_peer_closed_the_connection() -> None:
    here, there = connection()
    async with Session(Role.SERVER, here.receive, here.send) as session:
        stream = await session.open()
        waiting = [
            asyncio.create_task(session.accept()),
            asyncio.create_task(stream.read()),
            asyncio.create_task(stream.write(bytes(2 * yamux.INITIAL_WINDOW))),
        ]
        await settled()
        await there.close()
        for task in waiting:
            with pytest.raises(SessionClosed) as closed:
                await task
            assert not closed.value.failed
        with pytest.raises(SessionClosed):
            await session.open()


async def test_what_arrived_before_the_end_can_still_be_read() -> None:
    here, there = connection()
    async with Session(Role.SERVER, here.receive, here.send) as session:
        await there.send(yamux.HEADER.pack(0, yamux.Kind.DATA, yamux.SYN | yamux.FIN, 1, 4) + b"last")
        await there.close()
        await settled()
        assert await read_all(await session.accept()) == b"last"


async def test_a_peer_that_breaks_the_protocol_is_told_and_left() -> None:
    here, there = connection()
    async with Session(Role.SERVER, here.receive, here.send) as session:
        await there.send(b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises(SessionClosed) as closed:
            await session.accept()
        assert closed.value.failed
        assert await there.receive() == yamux.HEADER.pack(0, yamux.Kind.GO_AWAY, 0, 0, yamux.Reason.PROTOCOL_ERROR)


async def test_a_failing_connection_ends_the_session_with_its_error() -> None:
    here, _ = connection()

    async def broken() -> bytes:
        raise ConnectionResetError("reset by peer")

    async with Session(Role.SERVER, broken, here.send) as session:
        with pytest.raises(SessionClosed, match="reset by peer") as closed:
            await session.accept()
        assert closed.value.failed


async def answer_pings(end: End) -> None:
    """A peer that does no more than that."""
    while data := await end.receive():
        _, kind, flags, _, number = yamux.HEADER.unpack_from(data)
        if (kind, flags) == (yamux.Kind.PING, yamux.SYN):
            await end.send(yamux.HEADER.pack(0, kind, yamux.ACK, 0, number))


async def test_a_peer_that_answers_pings_is_kept() -> None:
    here, there = connection()
    peer = asyncio.create_task(answer_pings(there))
    async with Session(Role.SERVER, here.receive, here.send) as session:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(10 * sessions.KEEPALIVE_INTERVAL):
                await session.accept()
    peer.cancel()


async def test_a_peer_that_does_not_answer_pings_is_left() -> None:
    here, _ = connection()
    started = asyncio.get_running_loop().time()
    async with Session(Role.SERVER, here.receive, here.send) as session:
        with pytest.raises(SessionClosed, match="in time"):
            await session.accept()
    passed = asyncio.get_running_loop().time() - started
    assert passed == pytest.approx(sessions.KEEPALIVE_INTERVAL + sessions.KEEPALIVE_TIMEOUT, abs=1)


async def test_a_peer_that_does_not_take_what_is_sent_is_left() -> None:
    here, _ = connection()
    async with Session(Role.CLIENT, here.receive, here.send) as session:
        streams = [await session.open() for _ in range(20)]
        started = asyncio.get_running_loop().time()
        with pytest.raises(SessionClosed, match="in time"):
            await asyncio.gather(*(stream.write(bytes(yamux.INITIAL_WINDOW)) for stream in streams))
        assert asyncio.get_running_loop().time() - started == pytest.approx(sessions.WRITE_TIMEOUT, abs=1)


async def send_for_ever(end: End, data: bytes) -> None:
    while True:
        await end.send(data)


async def test_a_peer_that_asks_and_never_listens_is_not_read_for_ever() -> None:
    here, there = connection()
    pings = yamux.HEADER.pack(0, yamux.Kind.PING, yamux.SYN, 0, 1) * 10_000
    async with Session(Role.SERVER, here.receive, here.send) as session:
        flood = asyncio.create_task(send_for_ever(there, pings))
        await settled()
        assert not flood.done()
        flood.cancel()
        assert session._yamux.pending < 2 * sessions.ANSWER_LIMIT


async def test_leaving_a_session_says_goodbye_and_leaves_no_task() -> None:
    before = asyncio.all_tasks()
    here, there = connection()
    async with Session(Role.SERVER, here.receive, here.send) as session:
        stream = await session.open()
    assert asyncio.all_tasks() == before
    said = await there.receive()
    assert said.endswith(yamux.HEADER.pack(0, yamux.Kind.GO_AWAY, 0, 0, yamux.Reason.NORMAL))
    with pytest.raises(SessionClosed):
        await stream.read()


async def test_a_cancelled_session_leaves_no_task() -> None:
    before = asyncio.all_tasks()
    here, _ = connection()
    entered = asyncio.Event()

    async def use() -> None:
        async with Session(Role.SERVER, here.receive, here.send) as session:
            entered.set()
            await session.accept()

    using = asyncio.create_task(use())
    await entered.wait()
    using.cancel()
    with pytest.raises(asyncio.CancelledError):
        await using
    assert asyncio.all_tasks() == before


async def test_a_stream_that_makes_us_hold_too_much_is_reset() -> None:
    here, there = connection()
    budget = Budget(yamux.INITIAL_WINDOW)
    async with (
        Session(Role.CLIENT, here.receive, here.send) as client,
        Session(Role.SERVER, there.receive, there.send, budget) as server,
    ):
        first, second = await client.open(), await client.open()
        await first.write(bytes(yamux.INITIAL_WINDOW))
        await second.write(b"x")
        with pytest.raises(StreamReset):
            await second.read()
        taken = await server.accept()
        assert await taken.read() == bytes(yamux.INITIAL_WINDOW)
        assert budget.taken == 0
        await first.write(b"x")
        await server.until(lambda: budget.taken > 0)
    assert budget.taken == 0
