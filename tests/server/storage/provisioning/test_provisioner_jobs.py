"""The queue on both databases: one job goes to one daemon, the oldest first."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from coder_enterprise.server.services.default_organization import ensure_default
from coder_enterprise.server.storage import files, groups, users
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.server.storage.files import File
from coder_enterprise.server.storage.open import open_postgresql_database
from coder_enterprise.server.storage.provisioning import job_logs, job_views, provisioner_daemons, provisioner_jobs
from coder_enterprise.server.storage.provisioning.job_logs import Log
from coder_enterprise.server.storage.provisioning.provisioner_daemons import ProvisionerDaemon
from coder_enterprise.server.storage.provisioning.provisioner_jobs import Job
from tests.server.storage.test_database import MOMENT, a_user

UNTAGGED = {"scope": "organization", "owner": ""}


class Home:
    """An organization with a user and a file, in which jobs are made."""

    def __init__(self, connection: Connection) -> None:
        self.id = ensure_default(connection).id
        user = a_user("ann")
        users.create(connection, user)
        self.user_id = user.id
        self.file_id = uuid4()
        files.create(connection, File(self.file_id, "0" * 64, user.id, MOMENT, "application/x-tar", b"\0tar"))

    def job(self, tags: dict[str, str] | None = None, after: int = 0) -> Job:
        moment = MOMENT + timedelta(seconds=after)
        return Job(
            id=uuid4(),
            organization_id=self.id,
            initiator_id=self.user_id,
            provisioner="echo",
            type="template_version_import",
            input={},
            tags=UNTAGGED if tags is None else tags,
            file_id=self.file_id,
            created_at=moment,
            updated_at=moment,
        )

    def daemon(self, name: str, moment: datetime = MOMENT) -> ProvisionerDaemon:
        return ProvisionerDaemon(
            uuid4(), self.id, name, "", ["echo"], UNTAGGED, "v2", "1.0", "session", None, moment, moment
        )


@pytest.fixture
async def home(database: Database) -> Home:
    return await database.write(Home)


async def add(database: Database, *jobs: Job) -> None:
    def work(connection: Connection) -> None:
        for job in jobs:
            provisioner_jobs.create(connection, job)

    await database.write(work)


async def take(database: Database, home: Home, worker_id: UUID) -> UUID | None:
    def work(connection: Connection) -> UUID | None:
        job = provisioner_jobs.next_for(connection, home.id, ["echo"], [UNTAGGED])
        if job is None:
            return None
        values = {"started_at": MOMENT, "worker_id": worker_id}
        provisioner_jobs.update_fields(connection, job.id, values)
        return job.id

    return await database.write(work)


async def test_the_oldest_job_that_waits_is_next(database: Database, home: Home) -> None:
    jobs = [home.job(after=seconds) for seconds in (2, 1, 3)]
    await add(database, *jobs)
    taken = [await take(database, home, uuid4()) for _ in range(4)]
    assert taken == [jobs[1].id, jobs[0].id, jobs[2].id, None]


async def test_many_who_look_at_the_same_time_get_different_jobs(database: Database, home: Home) -> None:
    jobs = [home.job(after=number) for number in range(20)]
    await add(database, *jobs)
    taken = await asyncio.gather(*(take(database, home, uuid4()) for _ in range(25)))
    assert sorted(job_id for job_id in taken if job_id) == sorted(job.id for job in jobs)
    assert taken.count(None) == 5


async def test_replicas_never_take_the_same_job(database_url: str) -> None:
    first, second = [await open_postgresql_database(database_url) for _ in range(2)]
    try:
        home = await first.write(Home)
        jobs = [home.job(after=number) for number in range(10)]
        await add(first, *jobs)
        taken = await asyncio.gather(*(take(replica, home, uuid4()) for replica in (first, second) * 5))
        left = [await take(second, home, uuid4()) for _ in range(taken.count(None))]
        assert sorted(job_id for job_id in (*taken, *left) if job_id) == sorted(job.id for job in jobs)
    finally:
        await first.close()
        await second.close()


async def test_tags_are_compared_whatever_their_order(database: Database, home: Home) -> None:
    await add(database, home.job({"a": "é", "b": "2"}), home.job({"b": "2", "a": "é"}), home.job())
    found = await database.read(
        lambda connection: provisioner_jobs.waiting_tag_sets(connection, home.id, ["echo", "terraform"])
    )
    assert sorted(found, key=str) == sorted([{"a": "é", "b": "2"}, UNTAGGED], key=str)
    job = await database.write(
        lambda connection: provisioner_jobs.next_for(connection, home.id, ["echo"], [{"b": "2", "a": "é"}])
    )
    assert job is not None
    assert job.tags == {"a": "é", "b": "2"}


async def test_jobs_are_shown_with_their_place_in_the_queue(database: Database, home: Home) -> None:
    daemon = home.daemon("first")
    done, running, one, two = jobs = [home.job(after=number) for number in range(4)]
    started = {"started_at": MOMENT, "worker_id": daemon.id}

    def work(connection: Connection) -> None:
        provisioner_daemons.put(connection, daemon)
        for job in jobs:
            provisioner_jobs.create(connection, job)
        provisioner_jobs.update_fields(connection, done.id, {"completed_at": MOMENT})
        provisioner_jobs.update_fields(connection, running.id, started)

    await database.write(work)
    shown = await database.read(lambda connection: job_views.shown(connection, [job.id for job in jobs]))
    places = [(shown[job.id].queue_position, shown[job.id].queue_size) for job in (done, running, one, two)]
    assert places == [(0, 2), (0, 2), (1, 2), (2, 2)]
    assert shown[running.id].worker_name == "first"


async def test_the_work_of_a_daemon_is_what_runs_and_what_ended_last(database: Database, home: Home) -> None:
    daemon = home.daemon("first")
    jobs = [home.job(after=number) for number in range(4)]
    await add(database, *jobs)

    def work(connection: Connection) -> None:
        provisioner_daemons.put(connection, daemon)
        for number, job in enumerate(jobs):
            ended = MOMENT + timedelta(minutes=number) if number < 3 else None
            values = {"started_at": MOMENT, "completed_at": ended, "worker_id": daemon.id}
            provisioner_jobs.update_fields(connection, job.id, values)

    await database.write(work)
    found = await database.read(lambda connection: job_views.work_of(connection, home.id))
    assert sorted(item.job.id for item in found) == sorted([jobs[2].id, jobs[3].id])


async def test_only_silent_jobs_that_run_are_hung(database: Database, home: Home) -> None:
    waiting, silent, heard, over = jobs = [home.job() for _ in range(4)]
    await add(database, *jobs)

    def work(connection: Connection) -> None:
        for job in (silent, heard, over):
            provisioner_jobs.update_fields(connection, job.id, {"started_at": MOMENT})
        provisioner_jobs.update_fields(connection, heard.id, {"updated_at": MOMENT + timedelta(hours=1)})
        provisioner_jobs.update_fields(connection, over.id, {"completed_at": MOMENT})

    await database.write(work)
    moment = MOMENT + timedelta(minutes=1)
    found = await database.read(lambda connection: provisioner_jobs.hung(connection, moment))
    assert [job.id for job in found] == [silent.id]
    assert waiting.id not in {job.id for job in found}


async def test_logs_have_numbers_that_grow(database: Database, home: Home) -> None:
    job = home.job()
    await add(database, job)
    lines = [Log(MOMENT, "provisioner", "info", "", str(number)) for number in range(3)]
    await database.write(lambda connection: job_logs.add(connection, job.id, lines))
    kept = await database.read(lambda connection: job_logs.read(connection, job.id, 0))
    assert [line.log for line in kept] == lines
    later = await database.read(lambda connection: job_logs.read(connection, job.id, kept[1].id))
    assert [line.log.output for line in later] == ["2"]


async def test_a_daemon_that_comes_back_keeps_its_id(database: Database, home: Home) -> None:
    first = home.daemon("Ann")
    later = MOMENT + timedelta(days=1)
    second = home.daemon("ann", later)
    kept = [
        await database.write(lambda connection, row=row: provisioner_daemons.put(connection, row))  # type: ignore[misc]
        for row in (first, second)
    ]
    assert (kept[1].id, kept[1].created_at, kept[1].last_seen_at) == (first.id, MOMENT, later)
    ((row, key),) = await database.read(lambda connection: provisioner_daemons.of_organization(connection, home.id))
    assert (row, key) == (kept[1], "")


async def test_daemons_that_were_not_seen_for_long_are_forgotten(database: Database, home: Home) -> None:
    rows = [home.daemon("old"), home.daemon("new", MOMENT + timedelta(days=8))]

    def work(connection: Connection) -> list[bool]:
        for row in rows:
            provisioner_daemons.put(connection, row)
        provisioner_daemons.purge(connection, MOMENT + timedelta(days=7))
        return [provisioner_daemons.touch(connection, row.id, MOMENT) for row in rows]

    assert await database.write(work) == [False, True]


async def test_the_allowances_of_a_user_are_those_of_groups_and_of_everyone(database: Database, home: Home) -> None:
    def work(connection: Connection) -> list[int]:
        everyone = groups.get(connection, home.id)
        assert everyone is not None
        groups.update_fields(connection, home.id, {"quota_allowance": 1})
        for allowance, joined in ((10, True), (100, True), (1000, False)):
            group = everyone._replace(id=uuid4(), name=str(allowance), quota_allowance=allowance)
            groups.create(connection, group)
            if joined:
                groups.add_members(connection, group.id, [home.user_id])
        return [groups.allowance(connection, home.user_id, where) for where in (None, home.id, uuid4())]

    assert await database.write(work) == [111, 111, 0]
