"""A small provisioner daemon that speaks to a real server over a websocket, and what its jobs are made of."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

import httpx2
from google.protobuf.message import Message
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from coder_enterprise.server.routes.app import create_app
from coder_enterprise.server.rpc.calls import call, open_call
from coder_enterprise.server.rpc.session import Session
from coder_enterprise.server.services.all import Services
from coder_enterprise.server.services.provisioning.protocol import SERVICE
from coder_enterprise.wire.provisioning import messages_pb2 as pb
from coder_enterprise.wire.provisioning.yamux import Role
from tests.support.api import Body, Client, checked
from tests.support.serving import TIMEOUT, serving

M = TypeVar("M", bound=Message)

SERVE: Final = "/api/v2/organizations/default/provisionerdaemons/serve"
TAR: Final = b"not really a tar archive: no server reads it"


@contextlib.asynccontextmanager
async def listening(services: Services) -> AsyncIterator[str]:
    """Host and port of the server, with the sockets that it has as a process."""
    async with serving(create_app(services)) as address:
        yield address


def serve_url(
    address: str, *, provisioners: Sequence[str] = ("echo",), tags: Mapping[str, str] | None = None, **query: str
) -> str:
    pairs = [("provisioner", name) for name in provisioners]
    pairs += [("tag", f"{name}={value}") for name, value in (tags or {}).items()]
    return f"ws://{address}{SERVE}?{urlencode([*pairs, *query.items()])}"


class Daemon:
    """A context manager: connected inside. `headers` are its credentials; the rest is as in `serve_url`."""

    def __init__(self, address: str, headers: Mapping[str, str], **query: Any) -> None:
        self._url = serve_url(address, **query)
        self._headers = headers

    async def __aenter__(self) -> Daemon:
        self.websocket: ClientConnection = await connect(
            self._url, additional_headers=self._headers, compression=None, open_timeout=TIMEOUT
        )
        self.session = Session(Role.CLIENT, self._receive, self.websocket.send)
        await self.session.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.session.__aexit__(kind, error, traceback)
        await self.websocket.close()

    def kill(self) -> None:
        """End the connection without a word."""
        self.websocket.transport.abort()

    async def acquire(self, *, cancel: asyncio.Event | None = None) -> pb.AcquiredJob:
        """The next job; an empty one after `cancel`."""
        async with asyncio.timeout(TIMEOUT), open_call(self.session, ACQUIRE, pb.AcquiredJob) as acquiring:
            if cancel is not None:
                await cancel.wait()
                await acquiring.send(pb.CancelAcquire())
            return await anext(acquiring.answers)

    async def call(self, method: str, request: Message, answer: type[M]) -> M:
        async with asyncio.timeout(TIMEOUT):
            return await call(self.session, SERVICE + method, request, answer)

    async def update(self, job: pb.AcquiredJob, *lines: str, **fields: Any) -> pb.UpdateJobResponse:
        logs = [pb.Log(source=pb.PROVISIONER, level=pb.INFO, created_at=1000, stage="Test", output=x) for x in lines]
        request = pb.UpdateJobRequest(job_id=job.job_id, logs=logs, **fields)
        return await self.call("UpdateJob", request, pb.UpdateJobResponse)

    async def commit_quota(self, job: pb.AcquiredJob, cost: int) -> pb.CommitQuotaResponse:
        request = pb.CommitQuotaRequest(job_id=job.job_id, daily_cost=cost)
        return await self.call("CommitQuota", request, pb.CommitQuotaResponse)

    async def complete(self, job: pb.AcquiredJob, *resources: pb.Resource, state: bytes = b"", **fields: Any) -> None:
        done = pb.CompletedJob(job_id=job.job_id)
        if job.WhichOneof("type") == "template_import":
            done.template_import.CopyFrom(pb.CompletedJob.TemplateImport(start_resources=resources, **fields))
        elif job.WhichOneof("type") == "template_dry_run":
            done.template_dry_run.CopyFrom(pb.CompletedJob.TemplateDryRun(resources=resources))
        else:
            done.workspace_build.CopyFrom(pb.CompletedJob.WorkspaceBuild(state=state, resources=resources))
        await self.call("CompleteJob", done, pb.Empty)

    async def fail(self, job: pb.AcquiredJob, error: str, **fields: Any) -> None:
        await self.call("FailJob", pb.FailedJob(job_id=job.job_id, error=error, **fields), pb.Empty)

    async def upload(self, *messages: pb.FileUpload, ends: bool = True) -> None:
        """Unless it `ends`, the daemon seems to have more to send."""
        async with asyncio.timeout(TIMEOUT), open_call(self.session, f"{SERVICE}UploadFile", pb.Empty) as uploading:
            for message in messages:
                await uploading.send(message)
            if ends:
                await uploading.close_send()
            await anext(uploading.answers)

    async def download(
        self, file_id: str, kind: pb.DataUploadType = pb.UPLOAD_TYPE_MODULE_FILES
    ) -> list[pb.FileUpload]:
        """What the server sends."""
        path = f"{SERVICE}DownloadFile"
        async with asyncio.timeout(TIMEOUT), open_call(self.session, path, pb.FileUpload) as downloading:
            await downloading.send(pb.FileRequest(file_id=file_id, upload_type=pb.DataUploadType.Name(kind)))
            await downloading.close_send()
            return [message async for message in downloading.answers]

    async def _receive(self) -> bytes:
        try:
            data = await self.websocket.recv(decode=False)
        except ConnectionClosed:
            return b""
        assert isinstance(data, bytes)
        return data


ACQUIRE: Final = f"{SERVICE}AcquireJobWithCancel"


def file_messages(data: bytes, piece: int = 2 * 1024 * 1024, **announced: Any) -> list[pb.FileUpload]:
    """As Coder's daemons send a file of modules, but for what is `announced` of it in another way."""
    digest = hashlib.sha256(data).digest()
    pieces = [data[start : start + piece] for start in range(0, len(data), piece)]
    head = {
        "upload_type": pb.UPLOAD_TYPE_MODULE_FILES,
        "data_hash": digest,
        "file_size": len(data),
        "chunks": len(pieces),
        **announced,
    }
    return [
        pb.FileUpload(data_upload=pb.DataUpload(**head)),
        *(
            pb.FileUpload(chunk_piece=pb.ChunkPiece(data=part, full_data_hash=head["data_hash"], piece_index=number))
            for number, part in enumerate(pieces)
        ),
    ]


def session_of(client: Client) -> dict[str, str]:
    return {"Coder-Session-Token": client.token}


async def upload(client: httpx2.AsyncClient, data: bytes = TAR) -> str:
    answer = await client.post("/files", content=data, headers={"Content-Type": "application/x-tar"})
    file_id: str = checked(answer)["hash"]
    return file_id


async def create_version(client: httpx2.AsyncClient, **fields: Any) -> Body:
    """Its job waits for a daemon."""
    body = {"storage_method": "file", "provisioner": "echo", "file_id": await upload(client), **fields}
    return checked(await client.post("/organizations/default/templateversions", json=body))


async def build_template(client: httpx2.AsyncClient, daemon: Daemon, name: str, **fields: Any) -> Body:
    """With an active version, which the daemon has imported."""
    version = await create_version(client, name=f"{name}-1")
    job = await daemon.acquire()
    await daemon.complete(job, **fields)
    body = {"name": name, "template_version_id": version["id"]}
    return checked(await client.post("/organizations/default/templates", json=body))


async def create_workspace(
    client: httpx2.AsyncClient, template: Body, name: str, user: str = "me", **fields: Any
) -> Body:
    """Its first build waits for a daemon."""
    body = {"name": name, "template_id": template["id"], **fields}
    return checked(await client.post(f"/organizations/default/members/{user}/workspaces", json=body))


async def create_build(client: httpx2.AsyncClient, workspace: Body, transition: str, **fields: Any) -> Body:
    body = {"transition": transition, **fields}
    return checked(await client.post(f"/workspaces/{workspace['id']}/builds", json=body))


async def build(daemon: Daemon, cost: int = 0) -> pb.CommitQuotaResponse:
    """Do the next job, and charge it; one that is too expensive fails."""
    job = await daemon.acquire()
    charged = await daemon.commit_quota(job, cost)
    if charged.ok:
        await daemon.complete(job)
    else:
        await daemon.fail(job, "insufficient quota")
    return charged


async def job_of(client: httpx2.AsyncClient, version: Body) -> Body:
    """As it is now."""
    job: Body = checked(await client.get(f"/templateversions/{version['id']}"))["job"]
    return job
