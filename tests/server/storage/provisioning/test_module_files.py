"""Files in pieces, on both databases."""

from __future__ import annotations

from uuid import uuid4

import pytest
from sqlalchemy import select

from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.server.storage.provisioning import module_files, provisioner_jobs
from coder_enterprise.server.storage.provisioning.module_files import ModuleFile
from coder_enterprise.server.storage.schema import module_file_pieces
from tests.server.storage.provisioning.test_provisioner_jobs import Home
from tests.server.storage.test_database import MOMENT

DIGEST = "a" * 64


@pytest.fixture
async def file(database: Database) -> ModuleFile:
    """Of two pieces, which an import has brought."""

    def work(connection: Connection) -> ModuleFile:
        home = Home(connection)
        job = home.job()
        provisioner_jobs.create(connection, job)
        made = ModuleFile(uuid4(), home.id, DIGEST, 6, 2, job.id, False, MOMENT)
        module_files.create(connection, made)
        module_files.add_piece(connection, made.id, 0, b"\0one")
        module_files.add_piece(connection, made.id, 1, b"\0\xff")
        return made

    return await database.write(work)


async def test_pieces_are_read_one_by_one(database: Database, file: ModuleFile) -> None:
    pieces = [
        await database.read(lambda connection: module_files.piece(connection, file.id, number))  # noqa: B023
        for number in range(file.pieces)
    ]
    assert pieces == [b"\0one", b"\0\xff"]


async def test_a_file_is_found_when_it_has_come_completely(database: Database, file: ModuleFile) -> None:
    assert file.job_id is not None

    def found(connection: Connection) -> ModuleFile | None:
        assert file.job_id is not None
        return module_files.of_job(connection, file.job_id, DIGEST)

    assert await database.read(found) is None
    await database.write(lambda connection: module_files.complete(connection, file.id))
    assert await database.read(found) == file._replace(complete=True)


async def test_what_is_used_outlives_its_import(database: Database, file: ModuleFile) -> None:
    def work(connection: Connection) -> ModuleFile | None:
        assert file.job_id is not None
        module_files.complete(connection, file.id)
        module_files.use(connection, file.id)
        module_files.remove_of_job(connection, file.job_id)
        return module_files.used(connection, file.organization_id, DIGEST)

    assert await database.write(work) == file._replace(complete=True, job_id=None)


async def test_what_is_not_used_goes_with_its_pieces(database: Database, file: ModuleFile) -> None:
    def work(connection: Connection) -> list[object]:
        assert file.job_id is not None
        module_files.remove_of_job(connection, file.job_id)
        return list(connection.execute(select(module_file_pieces)))

    assert await database.write(work) == []
