"""What lists of workspaces are searched by, on both databases."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert

from coder_enterprise.server.services import build_views
from coder_enterprise.server.storage import workspaces
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.server.storage.periods import Period
from coder_enterprise.server.storage.provisioning import provisioner_jobs
from coder_enterprise.server.storage.schema import template_versions, templates, workspace_builds
from coder_enterprise.server.storage.schema import workspaces as table
from coder_enterprise.server.storage.workspace_search import Filter
from coder_enterprise.wire.workspaces import STATUSES
from tests.server.storage.provisioning.test_provisioner_jobs import UNTAGGED, Home
from tests.server.storage.test_database import MOMENT

LATER = MOMENT + timedelta(hours=1)


class Estate(Home):
    """A template of two versions, the second of which is active, and its workspaces."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.versions = [uuid4(), uuid4()]
        common = {"organization_id": self.id, "created_at": MOMENT, "updated_at": MOMENT, "created_by_id": self.user_id}
        self.template_id = uuid4()
        row = {"id": self.template_id, "name": "docker", "name_key": "docker", "display_name": "", "description": ""}
        row |= {"icon": "", "active_version_id": self.versions[1], "settings": {}}
        connection.execute(insert(templates), common | row)
        for version_id in self.versions:
            job = self.job()
            provisioner_jobs.create(connection, job)
            row = {"id": version_id, "template_id": self.template_id, "job_id": job.id, "name": version_id.hex}
            row |= {"message": "", "readme": "", "variables": [], "parameters": [], "workspace_tags": UNTAGGED}
            connection.execute(insert(template_versions), common | row)

    def workspace(self, connection: Connection, name: str, **values: Any) -> UUID:
        workspace_id = uuid4()
        row = {"id": workspace_id, "organization_id": self.id, "owner_id": self.user_id, "name_key": name}
        row |= {"template_id": self.template_id, "name": name, "created_at": MOMENT, "updated_at": MOMENT}
        connection.execute(insert(table), row | values)
        return workspace_id

    def build(
        self,
        connection: Connection,
        workspace_id: UUID,
        *,
        number: int = 1,
        transition: str = "start",
        version: int = 1,
        moment: datetime = MOMENT,
        parameters: dict[str, str] | None = None,
        resources: list[dict[str, Any]] | None = None,
        **job: Any,
    ) -> None:
        made = self.job()._replace(**job)
        provisioner_jobs.create(connection, made)
        provisioner_jobs.update_fields(connection, made.id, {"resources": resources})
        row: dict[str, Any] = {"id": uuid4(), "workspace_id": workspace_id, "job_id": made.id, "build_number": number}
        row |= {"template_version_id": self.versions[version], "initiator_id": self.user_id, "transition": transition}
        row |= {"daily_cost": 0, "parameters": parameters or {}, "state": b"", "created_at": moment}
        connection.execute(insert(workspace_builds), row | {"updated_at": moment})


@pytest.fixture
async def estate(database: Database) -> Estate:
    return await database.write(Estate)


async def found(database: Database, which: Filter) -> list[str]:
    def work(connection: Connection) -> list[str]:
        rows = workspaces.page(connection, which, None, 0)
        assert workspaces.count(connection, which) == len(rows)
        return [row.name for row in rows]

    return await database.read(work)


FATES: list[dict[str, Any]] = [
    {},
    {"started_at": MOMENT},
    {"canceled_at": MOMENT},
    {"started_at": MOMENT, "canceled_at": MOMENT},
    {"started_at": MOMENT, "completed_at": MOMENT},
    {"started_at": MOMENT, "completed_at": MOMENT, "error": "broken"},
    {"started_at": MOMENT, "completed_at": MOMENT, "canceled_at": MOMENT},
    {"started_at": MOMENT, "completed_at": MOMENT, "canceled_at": MOMENT, "error": "broken"},
]
"""Of jobs."""


async def test_each_is_found_by_the_status_that_is_shown_of_it(database: Database, estate: Estate) -> None:
    expected: dict[str, list[str]] = {status: [] for status in STATUSES}

    def work(connection: Connection) -> None:
        for transition in build_views.TRANSITIONS:
            for number, fate in enumerate(FATES):
                name = f"{transition}-{number}"
                workspace_id = estate.workspace(connection, name)
                estate.build(connection, workspace_id, moment=LATER, transition=transition, **fate)
                expected[build_views.status_of(estate.job()._replace(**fate), transition)].append(name)

    await database.write(work)
    for status, names in expected.items():
        assert await found(database, Filter(status=status)) == sorted(names)
    assert all(expected.values())


async def test_the_latest_build_alone_counts(database: Database, estate: Estate) -> None:
    def work(connection: Connection) -> None:
        stopped = estate.workspace(connection, "stopped")
        estate.build(connection, stopped, version=0, completed_at=MOMENT, parameters={"size": "1"})
        estate.build(connection, stopped, number=2, transition="stop", completed_at=LATER, moment=LATER)
        estate.build(connection, estate.workspace(connection, "old"), version=0, completed_at=MOMENT)

    await database.write(work)
    assert await found(database, Filter(status="running")) == ["old"]
    assert await found(database, Filter(outdated=True)) == ["old"]
    assert await found(database, Filter(outdated=False)) == ["stopped"]
    assert await found(database, Filter(parameters=(("size", None),))) == []
    assert await found(database, Filter(last_used=Period(after=LATER))) == ["stopped"]
    assert await found(database, Filter(last_used=Period(before=MOMENT))) == ["old"]


async def test_parameters_are_found_by_name_and_by_value(database: Database, estate: Estate) -> None:
    def work(connection: Connection) -> None:
        for name, region in (("one", "EU"), ("two", "us")):
            parameters = {"Region": region, 'odd "name"': "a,b"}
            estate.build(connection, estate.workspace(connection, name), parameters=parameters)
        estate.build(connection, estate.workspace(connection, "bare"))

    await database.write(work)
    assert await found(database, Filter(parameters=(("region", None),))) == ["one", "two"]
    assert await found(database, Filter(parameters=(("region", "eu"),))) == ["one"]
    assert await found(database, Filter(parameters=(("region", "us"), ('odd "name"', "a,b")))) == ["two"]
    assert await found(database, Filter(parameters=(("region", "us"), ("size", None)))) == []


async def test_they_are_found_by_id_organization_and_dormancy(database: Database, estate: Estate) -> None:
    def work(connection: Connection) -> list[UUID]:
        return [
            estate.workspace(connection, "awake"),
            estate.workspace(connection, "asleep", dormant_at=MOMENT),
            estate.workspace(connection, "gone", name_key=None, dormant_at=MOMENT),
        ]

    ids = await database.write(work)
    assert await found(database, Filter(dormant=True)) == ["asleep"]
    assert await found(database, Filter()) == ["asleep", "awake"]
    assert await found(database, Filter(ids=(ids[0], ids[2], uuid4()))) == ["awake"]
    assert await found(database, Filter(organization_id=estate.id)) == ["asleep", "awake"]
    assert await found(database, Filter(organization_id=uuid4())) == []


async def test_an_agent_is_connecting_for_ever(database: Database, estate: Estate) -> None:
    agents: dict[str, list[dict[str, Any]]] = {"with": [{"name": "main"}], "without": []}

    def work(connection: Connection) -> None:
        for name, those in agents.items():
            resources = [{"name": '"agents": [{', "agents": those}]
            estate.build(connection, estate.workspace(connection, name), resources=resources)

    await database.write(work)
    assert await found(database, Filter(agents=("connecting", "timeout"))) == ["with"]
    assert await found(database, Filter(agents=("connected", "timeout"))) == []
