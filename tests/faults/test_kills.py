"""What everything stands on is killed under load: etcd below the API server, and PostgreSQL below Coder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import httpx2
import pytest

from tests.support.faults import fault
from tests.support.kubernetes import Namespace
from tests.support.manifests import group
from tests.support.waiting import wait_until
from tools import postgresql
from tools.coder_api import CoderAPI
from tools.operator_process import OperatorProcess
from tools.postgresql import PostgreSQL
from tools.processes import ProcessFailed
from tools.server_process import CoderServer

COUNT = 20
NAMES = [f"group-{number}" for number in range(COUNT)]


def made(coder: CoderAPI) -> list[str]:
    return sorted(body["name"] for body in coder.groups() if body["name"] != "Everyone")


@fault(
    name="etcd killed",
    injected="SIGKILL of etcd while twenty groups are made; it is started again with its data.",
    verdict="The operator goes on as the same process, and each group is there once.",
)
def test_a_crash_of_etcd_is_survived(connected: Namespace, operator: OperatorProcess, coder: CoderAPI) -> None:
    connected.apply(*map(group, NAMES))
    wait_until(lambda: coder.find_group(NAMES[3]), "some groups are made", interval=0.005)
    connected.plane.kill_etcd()
    connected.plane.start_etcd()
    for name in NAMES:
        connected.wait_for("CoderGroup", name, "Applied", timeout=60)
    assert made(coder) == sorted(NAMES)
    assert operator.process.exit_code is None


@pytest.fixture
def database() -> Iterator[PostgreSQL]:
    """This test's alone, to be killed."""
    programs = postgresql.find()
    if programs is None:
        pytest.skip(postgresql.MISSING)
    with PostgreSQL(programs) as instance:
        yield instance


@pytest.fixture
def server(database: PostgreSQL) -> Iterator[CoderServer]:
    """On that PostgreSQL."""
    with CoderServer(database.url(database.create_database())) as process:
        yield process
        print(process.log.read_text()[-4000:])


def start(database: PostgreSQL) -> bool:
    """False as long as something is left of the one before."""
    with contextlib.suppress(ProcessFailed):
        database.start()
        return True
    return False


@fault(
    name="PostgreSQL killed",
    injected="SIGKILL of PostgreSQL while objects are applied, edits meanwhile, and a start with its data.",
    verdict=(
        "The server goes on and answers 503; the CoderDeployment says so in one condition and one event; then all "
        "edits are applied, and nothing is there twice."
    ),
)
def test_a_crash_of_postgresql_is_said_once_and_survived(
    connected: Namespace, database: PostgreSQL, server: CoderServer, coder: CoderAPI
) -> None:
    connected.apply(*map(group, NAMES))
    wait_until(lambda: coder.find_group(NAMES[3]), "some groups are made", interval=0.005)
    database.kill()
    headers = {"Coder-Session-Token": server.token}
    with httpx2.Client(base_url=f"{server.url}/api/v2", headers=headers, timeout=30) as http:
        answer = http.post("/organizations/default/groups", json={"name": "lost"})
        assert answer.status_code == 503
        assert answer.json()["message"]
        connected.apply(*(group(name, quotaAllowance=7) for name in NAMES))  # all may have been made before the crash
        waits = connected.wait_for("CoderDeployment", "coder", "ServerError", timeout=90)
    wait_until(lambda: start(database), "PostgreSQL runs again")
    for name in NAMES:
        connected.wait_for("CoderGroup", name, "Applied", timeout=60)
        assert coder.group(name)["quota_allowance"] == 7
    assert made(coder) == sorted(NAMES)
    assert server.process.exit_code is None
    told = [event for event in connected.events("coder") if event["type"] == "Warning"]
    assert [(event["reason"], event.get("series")) for event in told] == [(waits["reason"], None)]
    assert database.password not in str(told) + server.log.read_text()
