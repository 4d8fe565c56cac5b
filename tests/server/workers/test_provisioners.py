"""The worker that cleans up after provisioner daemons."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from coder_enterprise.server.services.all import Services
from coder_enterprise.server.storage.database import Database
from coder_enterprise.server.workers import provisioners
from coder_enterprise.server.workers.provisioners import ProvisionerCleaner
from tests.support.faults import fault
from tests.support.waiting import wait_for


class Times:
    """In place of the module `time`: the time of day, and the clock that only counts."""

    def __init__(self) -> None:
        self.day = 1_000_000.0

    def time(self) -> float:
        return self.day

    def monotonic(self) -> float:
        return 0.0


@fault(
    name="clock of the server set by hours",
    injected="In process: the time of day jumps five hours forward while a provisioner daemon works.",
    verdict="No job is given up as one that was silent for hours; one that stays silent is, a minute later.",
)
@pytest.mark.parametrize("jump", [5 * 3600, -5 * 3600])
async def test_after_the_clock_was_set_nobody_is_given_up_for_one_interval(
    services: Services, monkeypatch: pytest.MonkeyPatch, jump: int
) -> None:
    monkeypatch.setattr(provisioners, "INTERVAL", 0.001)
    times, turns = Times(), list[float]()
    monkeypatch.setattr(provisioners, "time", times)

    async def give_up_hung() -> int:
        turns.append(times.day)
        return 0

    monkeypatch.setattr(services.job_course, "give_up_hung", give_up_hung)
    with capture_logs() as logs:
        running = asyncio.create_task(ProvisionerCleaner(services.job_course, services.provisioner_daemons).run())
        await wait_for(lambda: turns, "a turn")
        times.day += jump
        await wait_for(lambda: turns[-1] == times.day, "turns go on")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert [entry["seconds"] for entry in logs if "the clock was set" in entry["event"]] == [jump]


async def test_a_turn_that_fails_is_logged_and_the_next_one_comes(
    services: Services, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provisioners, "INTERVAL", 0.001)
    turns = asyncio.Semaphore(0)
    write = database.write

    async def count(work: object) -> object:
        turns.release()
        raise OSError("the disk is gone")

    cleaner = ProvisionerCleaner(services.job_course, services.provisioner_daemons)
    with capture_logs() as logs:
        monkeypatch.setattr(database, "write", count)
        running = asyncio.create_task(cleaner.run())
        for _ in range(2):
            await turns.acquire()
        monkeypatch.setattr(database, "write", write)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert logs[0]["log_level"] == "error"
