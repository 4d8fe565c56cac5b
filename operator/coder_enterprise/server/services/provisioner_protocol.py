"""The methods that a daemon can call, as `wire.provisioning.calls` serves them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Final, TypeVar

from google.protobuf.message import Message

from coder_enterprise.server.errors import RequestError
from coder_enterprise.server.services.provisioner_jobs import ProvisionerJobs, Serving
from coder_enterprise.wire.provisioning import messages_pb2 as pb
from coder_enterprise.wire.provisioning.calls import Handler, Messages, RPCError, streaming, unary

M = TypeVar("M", bound=Message)

SERVICE: Final = "/provisionerd.ProvisionerDaemon/"
ACQUIRE_TIMEOUT: Final = 5.0
"""Seconds that `AcquireJob`, which cannot be cancelled, waits for a job."""


def handlers(jobs: ProvisionerJobs, serving: Serving) -> Mapping[str, Handler]:
    async def acquire(_: pb.Empty) -> pb.AcquiredJob:
        with_timeout = asyncio.sleep(ACQUIRE_TIMEOUT)
        return await _told(jobs.acquire(serving, with_timeout))

    async def acquire_with_cancel(requests: Messages[pb.CancelAcquire]) -> AsyncGenerator[Message, None]:
        yield await _told(jobs.acquire(serving, _any(requests)))

    def method(request: type[M], serve: Callable[[Serving, M], Awaitable[Message]]) -> Handler:
        return unary(request, lambda message: _told(serve(serving, message)))

    methods = {
        "AcquireJob": unary(pb.Empty, acquire),
        "AcquireJobWithCancel": streaming(pb.CancelAcquire, acquire_with_cancel),
        "UpdateJob": method(pb.UpdateJobRequest, jobs.update),
        "CommitQuota": method(pb.CommitQuotaRequest, jobs.commit_quota),
        "CompleteJob": method(pb.CompletedJob, jobs.complete),
        "FailJob": method(pb.FailedJob, jobs.fail),
    }
    return {SERVICE + name: handler for name, handler in methods.items()}


async def _any(requests: Messages[pb.CancelAcquire]) -> None:
    """Until there is one, or there will be none."""
    async for _ in requests:
        return


Answer = TypeVar("Answer", bound=Message)


async def _told(answer: Awaitable[Answer]) -> Answer:
    """What the database cannot do at the moment, and what its user may not do any more, is told to the daemon."""
    try:
        return await answer
    except RequestError as error:
        raise RPCError(error.message) from None
