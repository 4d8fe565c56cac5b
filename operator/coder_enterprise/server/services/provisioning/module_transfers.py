"""Files that are too large for a message between a daemon and the server: the modules that templates use.

Daemons ask for it through `protocol`. A daemon brings the modules of the template that it imports, and gets
those of the template whose workspace it builds, piece by piece: no more than one of them is in memory for each. What
becomes of a file at the end of its import is decided in the transaction that ends the job.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, TypeAlias
from uuid import UUID, uuid4

from google.protobuf.message import Message

from coder_enterprise.server import names
from coder_enterprise.server.rpc.calls import Messages, RPCError
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.provisioning.orders import BUILD, IMPORT
from coder_enterprise.server.services.provisioning.serving import Serving, require_user
from coder_enterprise.server.storage import template_versions, workspace_builds
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.server.storage.provisioning import module_files, provisioner_jobs
from coder_enterprise.server.storage.provisioning.module_files import ModuleFile
from coder_enterprise.server.storage.provisioning.provisioner_jobs import Job
from coder_enterprise.wire.provisioning import messages_pb2 as pb

Send: TypeAlias = Callable[[Message], Awaitable[None]]

MAX_FILE: Final = 64 * 1024 * 1024
"""Bytes. Coder's daemons send 20 MiB at most."""
MAX_PIECES: Final = 256
"""Coder's daemons send pieces of 2 MiB."""
TIMEOUT: Final = 300.0
"""Seconds for a whole file, as Coder's daemons wait for it."""
MAX_TRANSFERS: Final = 4
"""At once, for daemons of organizations, and as many again for those that users run: others wait for their turn."""


class ModuleTransfers:
    """Raises `RPCError` for what a daemon may not bring or get, and does not bring as it said."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._places = {is_users: asyncio.Semaphore(MAX_TRANSFERS) for is_users in (False, True)}
        self._transferring: set[UUID] = set()

    async def upload(self, serving: Serving, messages: Messages[pb.FileUpload]) -> pb.Empty:
        """Keep what the first message announces and the others bring, for the import that the daemon does."""
        async with self._transfer(serving):
            upload = _Upload(await _next(messages))
            file = await self._database.write(lambda connection: _begin(connection, serving, upload))
            async with self._places[bool(serving.daemon.owner)]:
                while not upload.is_over:
                    number, data = upload.take(await _next(messages))
                    await self._database.write(
                        lambda connection: _add(connection, serving, file, number, data)  # noqa: B023 - it is awaited
                    )
            upload.check()
            await self._database.write(lambda connection: _finish(connection, serving, file))
        return pb.Empty()

    async def download(self, serving: Serving, request: pb.FileRequest, send: Send) -> None:
        """Send the file as it was brought; why it cannot be had is sent in its place, as Coder does."""
        async with self._transfer(serving):
            try:
                file = await self._database.read(lambda connection: _wanted(connection, serving, request))
            except RPCError as error:
                await send(pb.FileUpload(error=pb.FailedFile(error=str(error))))
            else:
                async with self._places[bool(serving.daemon.owner)]:
                    await self._send(file, send)

    async def _send(self, file: ModuleFile, send: Send) -> None:
        digest = bytes.fromhex(file.hash)
        announced = pb.DataUpload(
            upload_type=pb.UPLOAD_TYPE_MODULE_FILES, data_hash=digest, file_size=file.size, chunks=file.pieces
        )
        await send(pb.FileUpload(data_upload=announced))
        for number in range(file.pieces):
            data = await self._database.read(
                lambda connection: module_files.piece(connection, file.id, number)  # noqa: B023 - it is awaited
            )
            piece = pb.ChunkPiece(data=data, full_data_hash=digest, piece_index=number)
            await send(pb.FileUpload(chunk_piece=piece))

    @contextlib.asynccontextmanager
    async def _transfer(self, serving: Serving) -> AsyncIterator[None]:
        daemon = serving.daemon
        if daemon.id in self._transferring:
            raise RPCError("this daemon sends or gets another file at the moment")
        self._transferring.add(daemon.id)
        try:
            async with asyncio.timeout(TIMEOUT):
                yield
        except TimeoutError:
            raise RPCError(f"the file did not go through within {TIMEOUT:.0f} seconds") from None
        finally:
            self._transferring.discard(daemon.id)


class _Upload:
    """What was announced, and how much of it has come. Raises `RPCError` where it is not as it was announced."""

    def __init__(self, message: pb.FileUpload) -> None:
        if message.WhichOneof("type") != "data_upload":
            raise RPCError("an upload begins with what it brings")
        announced = message.data_upload
        _require_modules(announced.upload_type)
        if len(announced.data_hash) != hashlib.sha256().digest_size:
            raise RPCError(f"the hash must have 32 bytes, not {len(announced.data_hash)}")
        if not 0 < announced.file_size <= MAX_FILE:
            raise RPCError(f"the file has {announced.file_size} bytes; it must have 1 to {MAX_FILE}")
        if not 0 < announced.chunks <= MAX_PIECES:
            raise RPCError(f"the file comes in {announced.chunks} pieces; it must be 1 to {MAX_PIECES}")
        self.digest: Final = announced.data_hash
        self.size: Final = announced.file_size
        self.pieces: Final = announced.chunks
        self._hash = hashlib.sha256()
        self._came = 0
        self._next = 0

    @property
    def is_over(self) -> bool:
        return self._next == self.pieces

    def take(self, message: pb.FileUpload) -> tuple[int, bytes]:
        """The number of a piece, and the piece."""
        piece = message.chunk_piece
        if message.WhichOneof("type") != "chunk_piece" or piece.full_data_hash != self.digest:
            raise RPCError("a piece of the file was expected")
        if piece.piece_index != self._next:
            raise RPCError(f"piece {piece.piece_index} came where piece {self._next} was expected")
        self._came += len(piece.data)
        if self._came > self.size:
            raise RPCError(f"the file has more than the {self.size} bytes that were announced")
        self._hash.update(piece.data)
        self._next += 1
        return piece.piece_index, piece.data

    def check(self) -> None:
        if self._came != self.size or self._hash.digest() != self.digest:
            raise RPCError("what came is not the file that was announced: its size or its hash differs")


async def _next(messages: Messages[pb.FileUpload]) -> pb.FileUpload:
    async for message in messages:
        return message
    raise RPCError("the upload ended before the file had come")


def _require_modules(kind: int) -> None:
    if kind != pb.UPLOAD_TYPE_MODULE_FILES:
        raise RPCError(f"files of type {kind} are not supported; {pb.UPLOAD_TYPE_MODULE_FILES}, for modules, is")


def _begin(connection: Connection, serving: Serving, upload: _Upload) -> ModuleFile:
    """In the place of what the import brought before, if it did."""
    require_user(connection, serving)
    job = next((job for job in _running(connection, serving) if job.type == IMPORT), None)
    if job is None:
        raise RPCError("this daemon imports no template at the moment")
    module_files.remove_of_job(connection, job.id)
    made = ModuleFile(
        id=uuid4(),
        organization_id=job.organization_id,
        hash=upload.digest.hex(),
        size=upload.size,
        pieces=upload.pieces,
        job_id=job.id,
        complete=False,
        created_at=now(),
    )
    module_files.create(connection, made)
    return made


def _add(connection: Connection, serving: Serving, file: ModuleFile, number: int, data: bytes) -> None:
    _require_import(connection, serving, file)
    module_files.add_piece(connection, file.id, number, data)


def _finish(connection: Connection, serving: Serving, file: ModuleFile) -> None:
    _require_import(connection, serving, file)
    module_files.complete(connection, file.id)


def _require_import(connection: Connection, serving: Serving, file: ModuleFile) -> None:
    """The import goes on. With its end the file has gone, and so it has when the daemon began anew."""
    if all(job.id != file.job_id for job in _running(connection, serving)):
        raise RPCError("the import that the file belongs to has ended")
    if module_files.get(connection, file.id) is None:
        raise RPCError("another file was begun in the place of this one")


def _running(connection: Connection, serving: Serving) -> list[Job]:
    return provisioner_jobs.running_by(connection, serving.daemon.id)


def _wanted(connection: Connection, serving: Serving, request: pb.FileRequest) -> ModuleFile:
    """A daemon gets the modules of what it builds, and no others."""
    require_user(connection, serving)
    _require_modules(request.upload_type)
    file_id = names.as_uuid(request.file_id)
    builds = [job for job in _running(connection, serving) if job.type == BUILD]
    if file_id is None or file_id not in {_modules_of(connection, job) for job in builds}:
        raise RPCError(f"{request.file_id!r} is not the modules file of a build that this daemon does")
    found = module_files.get(connection, file_id)
    if found is None:
        raise AssertionError("a file that a template version uses stays")
    return found


def _modules_of(connection: Connection, job: Job) -> UUID | None:
    build = workspace_builds.by_job(connection, job.id)
    version = template_versions.get(connection, build.template_version_id) if build else None
    return version.module_file_id if version else None
