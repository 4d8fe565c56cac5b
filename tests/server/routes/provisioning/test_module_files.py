"""The modules of templates, which are too large for a message: daemons bring them and get them back."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from coder_enterprise.server.rpc.calls import RPCError
from coder_enterprise.server.services.provisioning import module_transfers
from coder_enterprise.server.services.provisioning.results import PIECE
from coder_enterprise.server.storage import template_versions
from coder_enterprise.server.storage.database import Database
from coder_enterprise.server.storage.schema import module_file_pieces, module_files
from coder_enterprise.wire.provisioning import messages_pb2 as pb
from tests.support.api import Body, Client, checked
from tests.support.provisioners import Daemon, create_version, create_workspace, file_messages, session_of

MODULES = bytes(range(256)) * 20 * 1024
"""Five MiB: more than a message may have."""
DIGEST = hashlib.sha256(MODULES).digest()


async def import_with(daemon: Daemon, owner: Client, modules: bytes = MODULES) -> Body:
    """A version whose daemon has uploaded its modules."""
    version = await create_version(owner)
    job = await daemon.acquire()
    await daemon.upload(*file_messages(modules))
    await daemon.complete(job, module_files_hash=hashlib.sha256(modules).digest())
    return version


async def order_of_build(daemon: Daemon, owner: Client, version: Body, name: str = "docker") -> pb.AcquiredJob:
    body = {"name": name, "template_version_id": version["id"]}
    template = checked(await owner.post("/organizations/default/templates", json=body))
    await create_workspace(owner, template, f"{name}-dev")
    return await daemon.acquire()


def data_of(messages: list[pb.FileUpload]) -> bytes:
    return b"".join(message.chunk_piece.data for message in messages[1:])


async def count(database: Database, table: Any) -> int:
    query = select(func.count()).select_from(table)
    return int(await database.read(lambda connection: connection.execute(query).scalar_one()))


async def file_of(database: Database, version: Body) -> UUID | None:
    row = await database.read(lambda connection: template_versions.get(connection, UUID(version["id"])))
    assert row is not None
    return row.module_file_id


async def test_a_build_gets_the_modules_that_the_import_brought(daemon: Daemon, owner: Client) -> None:
    order = await order_of_build(daemon, owner, await import_with(daemon, owner))
    metadata = order.workspace_build.metadata
    announced, *pieces = await daemon.download(metadata.template_version_modules_file)
    assert announced.data_upload == pb.DataUpload(
        upload_type=pb.UPLOAD_TYPE_MODULE_FILES, data_hash=DIGEST, file_size=len(MODULES), chunks=3
    )
    assert [piece.chunk_piece.piece_index for piece in pieces] == [0, 1, 2]
    assert {piece.chunk_piece.full_data_hash for piece in pieces} == {DIGEST}
    assert data_of([announced, *pieces]) == MODULES


async def test_modules_that_come_with_the_last_message_are_kept_too(daemon: Daemon, owner: Client) -> None:
    modules = bytes(PIECE + 1)
    version = await create_version(owner)
    await daemon.complete(await daemon.acquire(), module_files=modules)
    order = await order_of_build(daemon, owner, version)
    sent = await daemon.download(order.workspace_build.metadata.template_version_modules_file)
    assert (sent[0].data_upload.chunks, data_of(sent)) == (2, modules)


async def test_the_same_modules_are_kept_once(daemon: Daemon, owner: Client, database: Database) -> None:
    first, second = await import_with(daemon, owner), await import_with(daemon, owner)
    assert await file_of(database, first) == await file_of(database, second) is not None
    assert await count(database, module_files) == 1
    assert await count(database, module_file_pieces) == 3


async def test_a_version_without_modules_has_no_file(daemon: Daemon, owner: Client) -> None:
    version = await create_version(owner)
    await daemon.complete(await daemon.acquire())
    order = await order_of_build(daemon, owner, version)
    assert order.workspace_build.metadata.template_version_modules_file == ""


async def test_what_an_import_brought_goes_with_it_when_it_fails(
    daemon: Daemon, owner: Client, database: Database
) -> None:
    await create_version(owner)
    job = await daemon.acquire()
    await daemon.upload(*file_messages(MODULES))
    await daemon.fail(job, "no such provider")
    assert await count(database, module_file_pieces) == 0


async def test_what_is_uploaded_again_takes_the_place_of_the_first(
    daemon: Daemon, owner: Client, database: Database
) -> None:
    await create_version(owner)
    await daemon.acquire()
    with pytest.raises(RPCError, match="ended before the file had come"):
        await daemon.upload(*file_messages(MODULES)[:2])
    await daemon.upload(*file_messages(MODULES))
    assert await count(database, module_files) == 1
    assert await count(database, module_file_pieces) == 3


async def test_an_import_that_names_modules_which_never_came_does_not_complete(daemon: Daemon, owner: Client) -> None:
    await create_version(owner)
    job = await daemon.acquire()
    with pytest.raises(RPCError, match="was not uploaded"):
        await daemon.complete(job, module_files_hash=DIGEST)


async def test_modules_that_did_not_come_completely_are_not_there(daemon: Daemon, owner: Client) -> None:
    await create_version(owner)
    job = await daemon.acquire()
    with pytest.raises(RPCError):
        await daemon.upload(*file_messages(MODULES)[:-1])
    with pytest.raises(RPCError, match="was not uploaded"):
        await daemon.complete(job, module_files_hash=DIGEST)


@pytest.mark.parametrize(
    ("announced", "cause"),
    [
        ({"upload_type": pb.UPLOAD_TYPE_UNKNOWN}, "type 0 are not supported"),
        ({"data_hash": b"short"}, "32 bytes"),
        ({"file_size": 0}, "1 to"),
        ({"file_size": module_transfers.MAX_FILE + 1}, "1 to"),
        ({"file_size": -1}, "1 to"),
        ({"chunks": 0}, "pieces"),
        ({"chunks": module_transfers.MAX_PIECES + 1}, "pieces"),
    ],
)
async def test_a_file_that_cannot_be_is_refused(
    daemon: Daemon, owner: Client, announced: dict[str, Any], cause: str
) -> None:
    await create_version(owner)
    await daemon.acquire()
    with pytest.raises(RPCError, match=cause):
        await daemon.upload(file_messages(b"modules", **announced)[0])


@pytest.mark.parametrize(
    ("announced", "cause"),
    [
        ({"file_size": 6}, "more than the 6 bytes"),
        ({"file_size": 8}, "its size or its hash differs"),
        ({"data_hash": bytes(32)}, "its size or its hash differs"),
    ],
)
async def test_what_comes_must_be_what_was_announced(
    daemon: Daemon, owner: Client, announced: dict[str, Any], cause: str
) -> None:
    await create_version(owner)
    await daemon.acquire()
    with pytest.raises(RPCError, match=cause):
        await daemon.upload(*file_messages(b"modules", **announced))


async def test_pieces_come_in_their_order(daemon: Daemon, owner: Client) -> None:
    await create_version(owner)
    await daemon.acquire()
    head, first, second = file_messages(b"modules", piece=4)
    with pytest.raises(RPCError, match="piece 1 came where piece 0 was expected"):
        await daemon.upload(head, second, first)


async def test_a_daemon_brings_modules_of_an_import_only(daemon: Daemon, owner: Client, template: Body) -> None:
    await create_workspace(owner, template, "dev")
    await daemon.acquire()
    with pytest.raises(RPCError, match="imports no template"):
        await daemon.upload(*file_messages(MODULES))


async def test_modules_are_for_the_daemon_that_builds_with_them(address: str, daemon: Daemon, owner: Client) -> None:
    order = await order_of_build(daemon, owner, await import_with(daemon, owner))
    file_id = order.workspace_build.metadata.template_version_modules_file
    async with Daemon(address, session_of(owner), name="other") as other:
        (refusal,) = await other.download(file_id)
    assert "not the modules file of a build that this daemon does" in refusal.error.error


async def test_there_are_no_files_but_modules(daemon: Daemon, owner: Client) -> None:
    order = await order_of_build(daemon, owner, await import_with(daemon, owner))
    file_id = order.workspace_build.metadata.template_version_modules_file
    (refusal,) = await daemon.download(file_id, pb.UPLOAD_TYPE_UNKNOWN)
    assert "are not supported" in refusal.error.error
    for name in ("", "modules", str(UUID(int=0))):
        (refusal,) = await daemon.download(name)
        assert refusal.WhichOneof("type") == "error"


async def test_a_daemon_that_stops_in_the_middle_does_not_hold_the_place(
    daemon: Daemon, owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module_transfers, "TIMEOUT", 0.05)
    await create_version(owner)
    await daemon.acquire()
    head, *_ = file_messages(MODULES)
    with pytest.raises(RPCError, match="did not go through"):
        await daemon.upload(head, ends=False)
