"""Servers as processes on one PostgreSQL: what several of them, a crash and an outage do to those who call."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.faults import fault
from tests.support.provisioners import Daemon, create_version
from tests.support.waiting import wait_until
from tools.postgresql import PostgreSQL
from tools.server_process import CoderServer, new_token

GROUPS = "/organizations/default/groups"


@pytest.fixture
async def clients(servers: list[CoderServer]) -> AsyncIterator[list[httpx2.AsyncClient]]:
    async with contextlib.AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                httpx2.AsyncClient(
                    base_url=f"{server.url}/api/v2", headers={"Coder-Session-Token": server.token}, timeout=30
                )
            )
            for server in servers
        ]


async def test_what_one_server_writes_the_other_one_reads(clients: list[httpx2.AsyncClient]) -> None:
    created = await clients[0].post(GROUPS, json={"name": "ops"})
    assert created.status_code == 201
    found = await clients[1].get(f"/groups/{created.json()['id']}")
    assert found.json() == created.json()


async def test_one_of_many_who_want_a_name_gets_it_and_the_others_a_conflict(
    clients: list[httpx2.AsyncClient],
) -> None:
    answers = await asyncio.gather(*(client.post(GROUPS, json={"name": "ops"}) for client in clients * 10))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 19}


async def test_members_that_are_added_at_the_same_time_are_all_there(clients: list[httpx2.AsyncClient]) -> None:
    group = (await clients[0].post(GROUPS, json={"name": "ops"})).json()
    ids: list[str] = []
    for number in range(20):
        body = {"username": f"user{number}", "email": f"user{number}@example.com", "login_type": "none"}
        ids.append((await clients[0].post("/users", json=body)).json()["id"])
    answers = await asyncio.gather(
        *(
            clients[number % 2].patch(f"/groups/{group['id']}", json={"add_users": [user_id]})
            for number, user_id in enumerate(ids)
        )
    )
    assert {answer.status_code for answer in answers} == {200}
    found = (await clients[1].get(f"/groups/{group['id']}")).json()
    assert {member["id"] for member in found["members"]} == set(ids)


async def test_a_licence_that_one_server_removes_enables_nothing_in_the_other(
    clients: list[httpx2.AsyncClient],
) -> None:
    [licence] = (await clients[0].get("/licenses")).json()
    assert (await clients[1].get(GROUPS)).status_code == 200
    assert (await clients[0].delete(f"/licenses/{licence['id']}")).status_code == 200
    async with asyncio.timeout(10):
        while (await clients[1].get(GROUPS)).status_code != 403:
            await asyncio.sleep(0.05)


async def test_a_user_that_one_server_suspends_is_refused_by_the_other(
    clients: list[httpx2.AsyncClient],
) -> None:
    body: dict[str, Any] = {"username": "ann", "email": "ann@example.com", "password": "correct horse battery"}
    user = (await clients[0].post("/users", json=body)).json()
    credentials = {"email": body["email"], "password": body["password"]}
    login = await clients[0].post("/users/login", json=credentials)
    clients[0].cookies.clear()
    headers = {"Coder-Session-Token": login.json()["session_token"]}
    assert (await clients[1].get("/users/me", headers=headers)).status_code == 200
    assert (await clients[0].put(f"/users/{user['id']}/status/suspend")).status_code == 200
    async with asyncio.timeout(10):
        while (await clients[1].get("/users/me", headers=headers)).status_code == 200:
            await asyncio.sleep(0.01)


@fault(
    name="replica of the server killed",
    injected="SIGKILL of one of two servers on one PostgreSQL while sixteen clients create groups at it.",
    verdict="The other one has every group that a client was told of.",
)
async def test_a_server_that_is_killed_loses_nothing_that_it_acknowledged(
    servers: list[CoderServer], clients: list[httpx2.AsyncClient]
) -> None:
    acknowledged: set[str] = set()

    async def create(worker: int) -> None:
        with contextlib.suppress(httpx2.TransportError):
            for number in range(10_000):
                name = f"g-{worker}-{number}"
                if (await clients[0].post(GROUPS, json={"name": name})).status_code == 201:
                    acknowledged.add(name)

    workers = [asyncio.create_task(create(worker)) for worker in range(16)]
    async with asyncio.timeout(30):
        while len(acknowledged) < 200:
            await asyncio.sleep(0.01)
    await asyncio.to_thread(servers[0].kill)
    await asyncio.gather(*workers)

    found = {group["name"] for group in (await clients[1].get(GROUPS)).json()}
    assert acknowledged <= found
    servers[0].start()
    assert {group["name"] for group in (await clients[0].get(GROUPS)).json()} == found


@fault(
    name="PostgreSQL stopped",
    injected="PostgreSQL cuts all connections and ends under load, and is started again.",
    verdict="503 with a message while it is away, nothing acknowledged is lost, and no server ends.",
)
async def test_requests_fail_with_503_while_the_database_is_away_and_succeed_when_it_is_back(
    servers: list[CoderServer], clients: list[httpx2.AsyncClient], postgresql: PostgreSQL
) -> None:
    acknowledged: set[str] = set()
    statuses: Counter[int] = Counter()
    is_over = asyncio.Event()

    async def create(worker: int) -> None:
        number = 0
        while not is_over.is_set():
            number += 1
            name = f"g-{worker}-{number}"
            answer = await clients[worker % 2].post(GROUPS, json={"name": name})
            statuses[answer.status_code] += 1
            if answer.status_code == 201:
                acknowledged.add(name)
            else:
                assert answer.json()["message"]

    async def count_beyond(status: int, count: int) -> None:
        async with asyncio.timeout(30):
            while statuses[status] < count:
                await asyncio.sleep(0.01)

    workers = [asyncio.create_task(create(worker)) for worker in range(8)]
    try:
        await count_beyond(201, 50)
        await asyncio.to_thread(postgresql.stop)
        try:
            await count_beyond(503, 50)
        finally:
            postgresql.start()
        await count_beyond(201, statuses[201] + 50)
    finally:
        is_over.set()
        await asyncio.gather(*workers)
    assert set(statuses) == {201, 503}
    assert acknowledged <= {group["name"] for group in (await clients[0].get(GROUPS)).json()}
    for server in servers:
        assert postgresql.password not in server.log.read_text()
        assert server.process.exit_code is None


def test_servers_that_start_at_once_on_an_empty_database_all_serve(empty_url: str) -> None:
    token = new_token()
    starting = [CoderServer(empty_url, token) for _ in range(3)]
    with ThreadPoolExecutor(len(starting)) as threads, contextlib.ExitStack() as stack:
        for server in starting:
            stack.callback(server.close)
        list(threads.map(CoderServer.start, starting))
        ids = set()
        for server in starting:
            headers = {"Coder-Session-Token": token}
            found = httpx2.get(f"{server.url}/api/v2/organizations/default", headers=headers, timeout=10)
            ids.add(found.json()["id"])
        assert len(ids) == 1


def coder_enterprise_server(folder: Path, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A server that is expected to end by itself."""
    environment = {**os.environ, "CODER_HTTP_ADDRESS": "127.0.0.1:0", **variables}
    command = [sys.executable, "-m", "coder_enterprise", "server", *options]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("by_option", [True, False])
def test_two_databases_are_refused(tmp_path: Path, by_option: bool) -> None:
    options = ["--sqlite-path", "x.db"] if by_option else []
    variables = {} if by_option else {"CODER_SQLITE_PATH": "x.db"}
    url = "postgres://ann:sw0rdf1sh@127.0.0.1:1/coder"
    ended = coder_enterprise_server(tmp_path, *options, CODER_PG_CONNECTION_URL=url, **variables)
    assert ended.returncode == 1
    assert "one database is enough" in ended.stderr
    assert "sw0rdf1sh" not in ended.stderr + ended.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_cannot_be_used_ends_the_start_with_the_cause(tmp_path: Path) -> None:
    url = "postgres://ann:sw0rdf1sh@127.0.0.1:1/coder"
    ended = coder_enterprise_server(tmp_path, CODER_PG_CONNECTION_URL=url)
    assert ended.returncode == 1
    assert ended.stderr.startswith("coder-enterprise server: CODER_PG_CONNECTION_URL: the database cannot be used: ")
    assert ended.stderr.count("\n") == 1
    assert "sw0rdf1sh" not in ended.stderr + ended.stdout


def test_a_server_ends_in_good_order_and_leaves_no_connection(
    servers: list[CoderServer], postgresql: PostgreSQL
) -> None:
    assert servers[0].stop() == 0
    assert servers[1].stop() == 0
    count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'coder-enterprise'"
    wait_until(lambda: postgresql.execute(count)[0][0] == 0, "no connection is left")


async def test_a_daemon_at_one_server_does_the_jobs_that_both_are_given(
    servers: list[CoderServer], clients: list[httpx2.AsyncClient]
) -> None:
    headers = {"Coder-Session-Token": servers[0].token}
    address = servers[0].url.removeprefix("http://")
    async with Daemon(address, headers, name="first") as daemon, Daemon(address, headers, name="second") as second:
        acquiring = [asyncio.create_task(item.acquire()) for item in (daemon, second) * 4]
        versions = [await create_version(client) for client in clients * 4]
        orders = await asyncio.gather(*acquiring)
    assert Counter(order.job_id for order in orders) == Counter(version["job"]["id"] for version in versions)
