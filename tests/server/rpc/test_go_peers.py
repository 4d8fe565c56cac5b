"""What Go programs put on the wire is understood: the recordings of tests/data/provisioning."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings

from coder_enterprise.server.rpc import calls
from coder_enterprise.server.rpc.calls import Messages, RPCError
from coder_enterprise.server.rpc.session import Session, SessionClosed
from coder_enterprise.wire.provisioning import drpc, yamux
from coder_enterprise.wire.provisioning import messages_pb2 as pb
from coder_enterprise.wire.provisioning.yamux import Role
from tests.support.pieces import CUTS, split
from tests.support.pipes import connection

DATA: Final = Path(__file__).parents[2] / "data" / "provisioning"
FROM_DAEMON: Final = (DATA / "go-daemon.bin").read_bytes()
FROM_CODER: Final = (DATA / "go-coder.bin").read_bytes()
STREAMS: Final = range(1, 20, 2)
SERVICE: Final = "/provisionerd.ProvisionerDaemon/"

Conversation = dict[int, list[drpc.Event]]


def conversation(session: yamux.Side, calls: dict[int, drpc.Call], pieces: list[bytes]) -> Conversation:
    """What the peer of `session` says on each stream."""
    said: Conversation = {}
    for piece in pieces:
        session.receive(piece)
        while (event := session.next_event()) is not None:
            if isinstance(event, yamux.Data):
                call = calls.setdefault(event.stream, drpc.Call())
                session.consumed(event.stream, len(event.data))
                call.receive(event.data)
                while (heard := call.next_event()) is not None:
                    said.setdefault(event.stream, []).append(heard)
    return said


def from_daemon(pieces: list[bytes]) -> Conversation:
    return conversation(yamux.Side(Role.SERVER), {}, pieces)


def from_coder(pieces: list[bytes]) -> Conversation:
    session = yamux.Side(Role.CLIENT)
    calls = {session.open(): drpc.Call() for _ in STREAMS}
    for call in calls.values():
        call.invoke("/whatever")
    return conversation(session, calls, pieces)


@settings(deadline=None)
@given(CUTS)
def test_recordings_mean_the_same_in_any_pieces(cuts: list[int]) -> None:
    assert from_daemon(split(FROM_DAEMON, cuts)) == from_daemon([FROM_DAEMON])
    assert from_coder(split(FROM_CODER, cuts)) == from_coder([FROM_CODER])


def messages(events: list[drpc.Event], kind: type[pb.UpdateJobRequest]) -> list[pb.UpdateJobRequest]:
    return [kind.FromString(event.data) for event in events if isinstance(event, drpc.Message)]


def test_a_daemon_of_go_calls_the_methods_in_order() -> None:
    said = from_daemon([FROM_DAEMON])
    invoked = [events[0] for events in said.values()]
    names = [event.path.removeprefix(SERVICE) for event in invoked if isinstance(event, drpc.Invoked)]
    complete = ["CompleteJob"] * 3
    assert names == [
        "AcquireJobWithCancel",
        "UpdateJob",
        "CommitQuota",
        *complete,
        "FailJob",
        "AcquireJobWithCancel",
        "UpdateJob",
    ]


def test_a_daemon_of_go_sends_metadata_logs_and_variables() -> None:
    invoked, message, end, *_ = from_daemon([FROM_DAEMON])[3]
    assert invoked == drpc.Invoked(SERVICE + "UpdateJob", {"cancel": "yes"})
    assert end == drpc.SendClosed()
    assert isinstance(message, drpc.Message)
    assert pb.UpdateJobRequest.FromString(message.data) == pb.UpdateJobRequest(
        job_id="job-1",
        logs=[
            pb.Log(
                source=pb.PROVISIONER,
                level=pb.WARN,
                created_at=1700000000123,
                stage="Plan",
                output="hello \N{CHECK MARK}",
            )
        ],
        template_variables=[pb.TemplateVariable(name="v", type="string", default_value="d", required=True)],
        user_variable_values=[pb.VariableValue(name="v", value="x")],
        readme=b"# Readme\n" * 3,
        workspace_tags={"env": "test"},
    )


def test_what_a_daemon_of_go_sends_beyond_our_messages_is_kept() -> None:
    message = from_daemon([FROM_DAEMON])[7][1]
    assert isinstance(message, drpc.Message)
    completed = pb.CompletedJob.FromString(message.data)
    [resource] = completed.workspace_build.resources
    [agent] = resource.agents
    assert (resource.name, resource.type, resource.daily_cost) == ("dev", "docker_container", 7)
    assert (agent.name, agent.token, dict(agent.env)) == ("main", "tok", {"A": "B"})
    assert len(completed.SerializeToString()) == len(message.data)


def test_coder_in_go_answers_with_jobs_and_errors() -> None:
    said = from_coder([FROM_CODER])
    [message, *_] = said[1]
    assert isinstance(message, drpc.Message)
    job = pb.AcquiredJob.FromString(message.data)
    assert (job.job_id, job.user_name, len(job.template_source_archive)) == ("job-1", "ada", 1000)
    build = job.workspace_build
    assert (build.workspace_name, build.log_level, build.state) == ("dev", "debug", b"state")
    assert build.metadata.workspace_transition == pb.STOP
    assert list(build.metadata.workspace_owner_groups) == ["Everyone"]
    assert said[11] == [drpc.Failed(0, "no id")]
    assert said[13] == [drpc.Failed(7, "job job-3 is not yours")]
    assert said[15] == [drpc.Message(b""), drpc.SendClosed()]


@pytest.mark.looptime
async def test_a_recorded_daemon_is_served_to_its_end() -> None:
    seen: list[Message | str] = []
    jobs = iter(["job-1", ""])

    async def acquire(requests: Messages[pb.CancelAcquire]) -> AsyncGenerator[pb.AcquiredJob, None]:
        yield pb.AcquiredJob(job_id=next(jobs))

    async def update(request: pb.UpdateJobRequest) -> pb.UpdateJobResponse:
        seen.append(request.job_id)
        if request.job_id == "hang":
            await asyncio.Event().wait()
        return pb.UpdateJobResponse()

    async def complete(request: pb.CompletedJob) -> pb.Empty:
        seen.append(request.WhichOneof("type") or "nothing")
        return pb.Empty()

    async def fail(request: pb.FailedJob) -> pb.Empty:
        seen.append(request.error_code)
        raise RPCError("not yours", 7)

    here, there = connection()
    async with Session(Role.SERVER, here.receive, here.send) as session:
        serving = asyncio.create_task(
            calls.serve(
                session,
                {
                    SERVICE + "AcquireJobWithCancel": calls.streaming(pb.CancelAcquire, acquire),
                    SERVICE + "UpdateJob": calls.unary(pb.UpdateJobRequest, update),
                    SERVICE + "CompleteJob": calls.unary(pb.CompletedJob, complete),
                    SERVICE + "FailJob": calls.unary(pb.FailedJob, fail),
                },
            )
        )
        await there.send(FROM_DAEMON)
        while len(seen) < 6:
            await there.receive()
        await there.close()
        await serving
        with pytest.raises(SessionClosed):
            await session.accept()
    assert sorted(map(str, seen)) == ["E1", "hang", "job-1", "nothing", "template_import", "workspace_build"]
