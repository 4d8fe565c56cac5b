"""Calls: what handlers and callers see of each other, and what happens when one of them leaves."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping

import pytest
from structlog.testing import capture_logs

from coder_enterprise.server.budgets import Budget
from coder_enterprise.server.rpc import calls
from coder_enterprise.server.rpc.calls import Handler, Messages, RPCError, call, open_call
from coder_enterprise.server.rpc.session import Session, SessionClosed, StreamReset
from coder_enterprise.wire.provisioning import drpc, yamux
from coder_enterprise.wire.provisioning.messages_pb2 import (
    AcquiredJob,
    CancelAcquire,
    CommitQuotaRequest,
    CommitQuotaResponse,
    Empty,
    UpdateJobRequest,
)
from coder_enterprise.wire.provisioning.yamux import Role
from tests.support.pipes import connection

pytestmark = pytest.mark.looptime

ACQUIRE = "/provisionerd.ProvisionerDaemon/AcquireJobWithCancel"
QUOTA = "/provisionerd.ProvisionerDaemon/CommitQuota"
UPDATE = "/provisionerd.ProvisionerDaemon/UpdateJob"


class Coder:
    """The server's side, with what became of its handlers."""

    def __init__(self) -> None:
        self.job = asyncio.Event()
        self.started = asyncio.Event()
        self.left = asyncio.Event()

    def handlers(self) -> Mapping[str, Handler]:
        return {
            ACQUIRE: calls.streaming(CancelAcquire, self.acquire),
            QUOTA: calls.unary(CommitQuotaRequest, self.commit_quota),
            UPDATE: calls.unary(UpdateJobRequest, self.update),
        }

    async def acquire(self, requests: Messages[CancelAcquire]) -> AsyncGenerator[AcquiredJob, None]:
        job, cancel = asyncio.create_task(self.job.wait()), asyncio.create_task(anext(requests, None))
        self.started.set()
        try:
            await asyncio.wait({job, cancel}, return_when=asyncio.FIRST_COMPLETED)
            yield AcquiredJob(job_id="job" if job.done() else "")
        finally:
            self.left.set()
            for task in (job, cancel):
                task.cancel()
            await asyncio.gather(job, cancel, return_exceptions=True)

    async def commit_quota(self, request: CommitQuotaRequest) -> CommitQuotaResponse:
        if request.daily_cost < 0:
            raise RPCError("daily_cost: less than nothing", 3)
        return CommitQuotaResponse(ok=True, credits_consumed=request.daily_cost)

    async def update(self, request: UpdateJobRequest) -> Empty:
        """Never answers, or fails in a way that nobody foresaw."""
        if request.job_id == "bug":
            raise KeyError("a secret")
        self.started.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.left.set()
        return Empty()


@pytest.fixture
def coder() -> Coder:
    return Coder()


@pytest.fixture
def budget() -> Budget:
    """Of `coder`, for all that the daemon sends."""
    return Budget(1024 * 1024)


@pytest.fixture
async def daemon(coder: Coder, budget: Budget) -> AsyncIterator[Session]:
    """A session with `coder` on its other side."""
    here, there = connection()

    async def serve() -> None:
        async with Session(Role.SERVER, there.receive, there.send, budget) as session:
            await calls.serve(session, coder.handlers())

    serving = asyncio.create_task(serve())
    async with Session(Role.CLIENT, here.receive, here.send) as session:
        yield session
    await here.close()
    await serving


async def quota(daemon: Session, cost: int) -> CommitQuotaResponse:
    return await call(daemon, QUOTA, CommitQuotaRequest(job_id="job", daily_cost=cost), CommitQuotaResponse)


async def test_a_request_is_answered(daemon: Session) -> None:
    assert await quota(daemon, 7) == CommitQuotaResponse(ok=True, credits_consumed=7)


async def test_many_calls_at_once_get_their_own_answers(daemon: Session) -> None:
    answers = await asyncio.gather(*(quota(daemon, cost) for cost in range(300)))
    assert [answer.credits_consumed for answer in answers] == list(range(300))


async def test_a_call_that_waits_does_not_delay_another(daemon: Session, coder: Coder) -> None:
    async with open_call(daemon, ACQUIRE, AcquiredJob) as acquire:
        await coder.started.wait()
        assert (await quota(daemon, 1)).ok
        coder.job.set()
        assert [job.job_id async for job in acquire.answers] == ["job"]


async def test_a_daemon_that_cancels_gets_an_empty_job(daemon: Session) -> None:
    async with open_call(daemon, ACQUIRE, AcquiredJob) as acquire:
        await acquire.send(CancelAcquire())
        assert [job async for job in acquire.answers] == [AcquiredJob()]


async def test_a_handlers_error_reaches_the_caller_with_its_code(daemon: Session) -> None:
    with pytest.raises(RPCError, match="daily_cost: less than nothing") as raised:
        await quota(daemon, -1)
    assert raised.value.code == 3


async def test_an_unforeseen_error_is_logged_and_its_text_kept_back(daemon: Session) -> None:
    with capture_logs() as logs, pytest.raises(RPCError) as raised:
        await call(daemon, UPDATE, UpdateJobRequest(job_id="bug"), Empty)
    assert str(raised.value) == "internal error"
    assert [(entry["path"], entry["exc_info"]) for entry in logs] == [(UPDATE, True)]
    assert (await quota(daemon, 1)).ok


async def test_an_unknown_method_is_refused_by_name(daemon: Session) -> None:
    with pytest.raises(RPCError, match="unknown rpc: /nothing") as raised:
        await call(daemon, "/nothing", Empty(), Empty)
    assert raised.value.code == drpc.UNIMPLEMENTED


async def test_a_request_that_cannot_be_read_is_refused(daemon: Session) -> None:
    stream = await daemon.open()
    client = drpc.Call()
    await stream.write(client.invoke(QUOTA) + client.message(b"\xff") + client.close_send())
    client.receive(await stream.read())
    failed = client.next_event()
    stream.close()
    assert isinstance(failed, drpc.Failed)
    assert failed.text == "CommitQuotaRequest: the message cannot be read"


async def test_a_call_without_a_request_is_refused(daemon: Session) -> None:
    async with open_call(daemon, QUOTA, CommitQuotaResponse) as opened:
        await opened.close_send()
        with pytest.raises(RPCError, match="CommitQuotaRequest: the request is missing"):
            await anext(opened.answers)


async def test_a_message_that_is_too_large_fails_its_call_and_no_other(daemon: Session) -> None:
    with pytest.raises(RPCError, match="at most"):
        await call(daemon, UPDATE, UpdateJobRequest(readme=bytes(drpc.MAX_MESSAGE)), Empty)
    assert (await quota(daemon, 1)).ok


async def test_a_caller_that_leaves_cancels_the_handler(daemon: Session, coder: Coder) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await call(daemon, UPDATE, UpdateJobRequest(), Empty)
    await coder.left.wait()


async def test_a_caller_that_resets_its_stream_cancels_the_handler(daemon: Session, coder: Coder) -> None:
    stream = await daemon.open()
    client = drpc.Call()
    await stream.write(client.invoke(ACQUIRE))
    await coder.started.wait()
    stream.reset()
    await coder.left.wait()


async def test_a_caller_that_says_so_cancels_the_handler(daemon: Session, coder: Coder) -> None:
    stream = await daemon.open()
    client = drpc.Call()
    await stream.write(client.invoke(ACQUIRE))
    await coder.started.wait()
    await stream.write(client.cancel())
    await coder.left.wait()
    stream.close()


async def test_a_daemon_that_disappears_cancels_its_calls_and_leaves_no_task(coder: Coder) -> None:
    before = asyncio.all_tasks()
    here, there = connection()

    async def disappear() -> None:
        async with Session(Role.CLIENT, here.receive, here.send) as session, open_call(session, ACQUIRE, AcquiredJob):
            await coder.started.wait()
            await here.close()

    leaving = asyncio.create_task(disappear())
    async with Session(Role.SERVER, there.receive, there.send) as session:
        await calls.serve(session, coder.handlers())
    assert coder.left.is_set()
    await leaving
    assert asyncio.all_tasks() == before


async def test_a_session_that_fails_says_why(coder: Coder) -> None:
    here, there = connection()
    async with Session(Role.SERVER, there.receive, there.send) as session:
        await here.send(b"\xff" * 12)
        with pytest.raises(SessionClosed, match="version 255"):
            await calls.serve(session, coder.handlers())


async def test_a_server_that_stops_ends_the_calls_on_both_sides(coder: Coder) -> None:
    here, there = connection()

    async def serve() -> None:
        async with Session(Role.SERVER, there.receive, there.send) as session:
            await calls.serve(session, coder.handlers())

    serving = asyncio.create_task(serve())
    async with Session(Role.CLIENT, here.receive, here.send) as session:
        calling = asyncio.create_task(call(session, UPDATE, UpdateJobRequest(), Empty))
        await coder.started.wait()
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving
        assert coder.left.is_set()
        await there.close()
        with pytest.raises((RPCError, SessionClosed)):
            await calling


async def test_a_stream_that_names_no_method_is_reset_after_a_while(daemon: Session) -> None:
    stream = await daemon.open()
    started = asyncio.get_running_loop().time()
    with capture_logs(), pytest.raises(StreamReset):
        await stream.read()
    assert asyncio.get_running_loop().time() - started == pytest.approx(calls.INVOKE_TIMEOUT, abs=0.5)


async def test_a_caller_that_stays_after_the_answer_is_left_after_a_while_without_a_word(daemon: Session) -> None:
    stream = await daemon.open()
    client = drpc.Call()
    await stream.write(client.invoke(QUOTA) + client.message(b"") + client.close_send())
    assert await stream.read()
    with capture_logs() as logs, pytest.raises(StreamReset):
        await stream.read()
    assert logs == []


async def test_a_stream_of_nonsense_is_reset_and_the_session_goes_on(daemon: Session) -> None:
    stream = await daemon.open()
    with capture_logs():
        await stream.write(b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises(StreamReset):
            await stream.read()
    assert (await quota(daemon, 1)).ok


async def test_a_slow_handler_slows_its_caller_down() -> None:
    here, there = connection()
    taken = asyncio.Semaphore(0)

    async def slow(requests: Messages[UpdateJobRequest]) -> AsyncGenerator[Empty, None]:
        async for _ in requests:
            await taken.acquire()
        yield Empty()

    async def serve() -> None:
        async with Session(Role.SERVER, there.receive, there.send) as session:
            await calls.serve(session, {"/slow": calls.streaming(UpdateJobRequest, slow)})

    async def send(opened: calls.OutgoingCall[Empty]) -> None:
        for _ in range(10):
            await opened.send(UpdateJobRequest(readme=bytes(yamux.INITIAL_WINDOW)))
        await opened.close_send()

    serving = asyncio.create_task(serve())
    async with Session(Role.CLIENT, here.receive, here.send) as session, open_call(session, "/slow", Empty) as opened:
        sending = asyncio.create_task(send(opened))
        await asyncio.sleep(1)
        assert not sending.done()
        for _ in range(10):
            taken.release()
        assert [answer async for answer in opened.answers] == [Empty()]
        await sending
    await here.close()
    await serving


def half_of_a_packet(size: int) -> bytes:
    """The head of a frame that is longer, and so many bytes of it."""
    return bytes([drpc.Kind.MESSAGE << 1]) + drpc.encode_varint(1) * 2 + drpc.encode_varint(2 * size) + bytes(size)


async def test_a_packet_that_does_not_end_is_reset_after_a_while(daemon: Session) -> None:
    stream = await daemon.open()
    await stream.write(drpc.Call().invoke(UPDATE) + half_of_a_packet(10))
    started = asyncio.get_running_loop().time()
    with capture_logs(), pytest.raises(StreamReset):
        await stream.read()
    assert asyncio.get_running_loop().time() - started == pytest.approx(calls.PACKET_TIMEOUT, abs=0.5)


async def test_a_stream_that_would_hold_too_much_is_reset_and_the_session_goes_on(
    daemon: Session, budget: Budget
) -> None:
    stream = await daemon.open()
    with capture_logs(), pytest.raises(StreamReset):
        await stream.write(drpc.Call().invoke(UPDATE) + half_of_a_packet(2 * budget.limit))
    while budget.taken:
        await asyncio.sleep(0.01)
    assert (await quota(daemon, 1)).ok


async def test_what_calls_have_held_is_given_back(daemon: Session, budget: Budget) -> None:
    for cost in range(10):
        await call(daemon, QUOTA, CommitQuotaRequest(job_id="j" * (budget.limit // 3), daily_cost=cost), Empty)
    with capture_logs(), pytest.raises(RPCError):
        await call(daemon, UPDATE, UpdateJobRequest(job_id="bug"), Empty)
    async with open_call(daemon, ACQUIRE, AcquiredJob):
        pass
    await quota(daemon, 1)
    assert budget.taken < 100  # the last call may not have been left yet
