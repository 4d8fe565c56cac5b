"""The worker that cleans up after provisioner daemons."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from coder_enterprise.server.routes.dependencies import Services
from coder_enterprise.server.storage.database import Database
from coder_enterprise.server.workers import provisioners
from coder_enterprise.server.workers.provisioners import ProvisionerCleaner


async def test_a_turn_that_fails_is_logged_and_the_next_one_comes(
    services: Services, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provisioners, "INTERVAL", 0.001)
    turns = asyncio.Semaphore(0)
    write = database.write

    async def count(work: object) -> object:
        turns.release()
        raise OSError("the disk is gone")

    cleaner = ProvisionerCleaner(services.provisioner_jobs, services.provisioner_daemons)
    with capture_logs() as logs:
        monkeypatch.setattr(database, "write", count)
        running = asyncio.create_task(cleaner.run())
        for _ in range(2):
            await turns.acquire()
        monkeypatch.setattr(database, "write", write)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert logs[0]["log_level"] == "error"
