"""The methods that a daemon can call, as `rpc.calls` serves them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Final, TypeVar

from google.protobuf.message import Message

from coder_enterprise.server.refused import Refused
from coder_enterprise.server.rpc.calls import Handler, IncomingCall, Messages, RPCError, streaming, unary
from coder_enterprise.server.services.provisioning.job_course import JobCourse
from coder_enterprise.server.services.provisioning.job_queue import JobQueue
from coder_enterprise.server.services.provisioning.module_transfers import ModuleTransfers
from coder_enterprise.server.services.provisioning.serving import Serving
from coder_enterprise.wire.provisioning import messages_pb2 as pb

M = TypeVar("M", bound=Message)

SERVICE: Final = "/provisionerd.ProvisionerDaemon/"
ACQUIRE_TIMEOUT: Final = 5.0
"""Seconds that `AcquireJob`, which cannot be cancelled, waits for a job."""


def handlers(queue: JobQueue, course: JobCourse, files: ModuleTransfers, serving: Serving) -> Mapping[str, Handler]:
    async def acquire(_: pb.Empty) -> pb.AcquiredJob:
        with_timeout = asyncio.sleep(ACQUIRE_TIMEOUT)
        return await _told(queue.acquire(serving, with_timeout))

    async def acquire_with_cancel(requests: Messages[pb.CancelAcquire]) -> AsyncGenerator[Message, None]:
        yield await _told(queue.acquire(serving, _any(requests)))

    async def upload(messages: Messages[pb.FileUpload]) -> AsyncGenerator[Message, None]:
        yield await _told(files.upload(serving, messages))

    async def download(incoming: IncomingCall) -> None:
        async for request in incoming.messages(pb.FileRequest):
            return await _told(files.download(serving, request, incoming.send))
        return None

    def method(request: type[M], serve: Callable[[Serving, M], Awaitable[Message]]) -> Handler:
        return unary(request, lambda message: _told(serve(serving, message)))

    methods = {
        "AcquireJob": unary(pb.Empty, acquire),
        "AcquireJobWithCancel": streaming(pb.CancelAcquire, acquire_with_cancel),
        "UpdateJob": method(pb.UpdateJobRequest, course.update),
        "CommitQuota": method(pb.CommitQuotaRequest, course.commit_quota),
        "CompleteJob": method(pb.CompletedJob, course.complete),
        "FailJob": method(pb.FailedJob, course.fail),
        "UploadFile": streaming(pb.FileUpload, upload),
        "DownloadFile": download,
    }
    return {SERVICE + name: handler for name, handler in methods.items()}


async def _any(requests: Messages[pb.CancelAcquire]) -> None:
    """Until there is one, or there will be none."""
    async for _ in requests:
        return


Answer = TypeVar("Answer")


async def _told(answer: Awaitable[Answer]) -> Answer:
    """What the database cannot do at the moment, and what its user may not do any more, is told to the daemon."""
    try:
        return await answer
    except Refused as error:
        raise RPCError(error.message) from None
