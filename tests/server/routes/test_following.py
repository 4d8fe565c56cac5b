"""Logs that are followed through a websocket: /templateversions/{version}/logs, /workspacebuilds/{build}/logs."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from coder_enterprise.server.services.all import Services
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.provisioning import job_logs
from coder_enterprise.server.services.provisioning.job_course import HUNG_AFTER
from coder_enterprise.server.storage import api_keys
from coder_enterprise.server.storage.database import Database
from coder_enterprise.server.storage.provisioning import provisioner_jobs
from tests.support.api import UNKNOWN_ID, Body, Client, checked, refused
from tests.support.provisioners import Daemon, create_version, create_workspace, session_of
from tests.support.serving import TIMEOUT, eventually


def path_of(version: Body) -> str:
    return f"/templateversions/{version['id']}/logs"


@contextlib.asynccontextmanager
async def following(
    address: str, client: Client, path: str, query: str = "follow", **headers: str
) -> AsyncIterator[ClientConnection]:
    url = f"ws://{address}/api/v2{path}?{query}"
    async with asyncio.timeout(TIMEOUT), connect(url, additional_headers=session_of(client) | headers) as websocket:
        yield websocket


async def outputs(websocket: ClientConnection) -> list[str]:
    """Of all lines until the server closes."""
    return [json.loads(message)["output"] async for message in websocket]


async def status_of(address: str, client: Client, path: str, **more: Any) -> int:
    with pytest.raises(InvalidStatus) as refusal:
        async with following(address, client, path, **more):
            pass
    assert json.loads(refusal.value.response.body or b"")["message"]
    return refusal.value.response.status_code


async def test_a_follower_gets_what_there_is_and_what_comes_until_the_jobs_end(
    address: str, daemon: Daemon, owner: Client, services: Services
) -> None:
    version = await create_version(owner)
    job = await daemon.acquire()
    await daemon.update(job, "one")
    async with following(address, owner, path_of(version)) as websocket:
        first = json.loads(await websocket.recv())
        assert [first] == (await owner.get(path_of(version))).json()
        assert services.job_logs.following == 1
        await daemon.update(job, "two", "three")
        await daemon.complete(job)
        assert await outputs(websocket) == ["two", "three"]
        assert websocket.close_code == 1000
    assert services.job_logs.following == 0


async def test_the_logs_of_a_job_that_has_ended_end_at_once(address: str, daemon: Daemon, owner: Client) -> None:
    version = await create_version(owner)
    job = await daemon.acquire()
    await daemon.update(job, "one", "two", "three", "four")
    await daemon.fail(job, "no")
    lines = (await owner.get(path_of(version))).json()
    span = f"follow&after={lines[0]['id']}&before={lines[3]['id']}"
    async with following(address, owner, path_of(version), span) as websocket:
        assert await outputs(websocket) == ["two", "three"]
    plain = await owner.get(path_of(version), params={"after": lines[0]["id"], "before": lines[3]["id"]})
    assert plain.json() == lines[1:3]


async def test_a_dry_run_is_followed(address: str, daemon: Daemon, owner: Client, template: Body) -> None:
    path = f"/templateversions/{template['active_version_id']}/dry-run"
    started = checked(await owner.post(path, json={"workspace_name": "dev"}))
    async with following(address, owner, f"{path}/{started['id']}/logs") as websocket:
        job = await daemon.acquire()
        await daemon.update(job, "trying")
        await daemon.complete(job)
        assert await outputs(websocket) == ["trying"]


async def test_the_builds_of_a_workspace_are_followed(
    address: str, daemon: Daemon, owner: Client, template: Body
) -> None:
    workspace = await create_workspace(owner, template, "dev")
    path = f"/workspacebuilds/{workspace['latest_build']['id']}/logs"
    async with following(address, owner, path) as websocket:
        job = await daemon.acquire()
        await daemon.update(job, "building")
        await daemon.complete(job)
        assert await outputs(websocket) == ["building"]


async def test_a_canceled_job_that_waits_has_ended(address: str, owner: Client) -> None:
    version = await create_version(owner)
    async with following(address, owner, path_of(version)) as websocket:
        checked(await owner.patch(f"/templateversions/{version['id']}/cancel"))
        assert await outputs(websocket) == []


async def test_a_job_that_is_given_up_has_ended(
    address: str, daemon: Daemon, owner: Client, services: Services, database: Database
) -> None:
    version = await create_version(owner)
    job_id = UUID((await daemon.acquire()).job_id)
    long_ago = {"updated_at": now() - 2 * HUNG_AFTER}
    async with following(address, owner, path_of(version)) as websocket:
        await database.write(lambda connection: provisioner_jobs.update_fields(connection, job_id, long_ago))
        assert await services.job_course.give_up_hung() == 1
        assert await outputs(websocket) == []


async def test_a_message_that_was_lost_is_made_up_for(
    address: str, daemon: Daemon, owner: Client, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_logs, "LOOK_AGAIN_AFTER", 0.01)

    async def lose(*_: object) -> None: ...

    monkeypatch.setattr(services.job_logs, "tell", lose)
    version = await create_version(owner)
    async with following(address, owner, path_of(version)) as websocket:
        job = await daemon.acquire()
        await daemon.update(job, "one")
        await daemon.complete(job)
        assert await outputs(websocket) == ["one"]


async def test_who_may_not_read_the_logs_may_not_follow_them(
    address: str, daemon: Daemon, owner: Client, member: Client, nobody: Client
) -> None:
    version = await create_version(owner)
    for client, path, status in (
        (nobody, path_of(version), 401),
        (member, path_of(version), 404),
        (owner, f"/templateversions/{UNKNOWN_ID}/logs", 404),
        (owner, "/templateversions/mine/logs", 400),
        (owner, f"/workspacebuilds/{UNKNOWN_ID}/logs", 404),
    ):
        assert await status_of(address, client, path) == status


async def test_a_span_that_cannot_be_is_refused(address: str, owner: Client) -> None:
    version = await create_version(owner)
    assert await status_of(address, owner, path_of(version), query="follow&after=x") == 400


async def test_a_page_of_another_site_follows_nothing(address: str, owner: Client) -> None:
    version = await create_version(owner)
    assert await status_of(address, owner, path_of(version), Origin="https://evil.test") == 403


async def test_a_follower_whose_session_ends_gets_no_more(
    address: str, daemon: Daemon, owner: Client, template_admin: Client, database: Database
) -> None:
    version = await create_version(owner)
    job = await daemon.acquire()
    async with following(address, template_admin, path_of(version)) as websocket:
        key_id = template_admin.token.partition("-")[0]
        await database.write(lambda connection: api_keys.remove(connection, key_id))
        await daemon.update(job, "secret")
        with pytest.raises(ConnectionClosed):
            await websocket.recv()
        assert websocket.close_code == 1008


async def test_a_follower_from_whom_the_template_is_taken_gets_no_more(
    address: str, daemon: Daemon, owner: Client, member: Client
) -> None:
    version = await create_version(owner)
    template = await create_private_template_of(owner, version)
    checked(await owner.patch(f"/templates/{template['id']}/acl", json={"user_perms": {member.user_id: "use"}}))
    job = await daemon.acquire()
    async with following(address, member, path_of(version)) as websocket:
        checked(await owner.patch(f"/templates/{template['id']}/acl", json={"user_perms": {member.user_id: ""}}))
        await daemon.update(job, "secret")
        with pytest.raises(ConnectionClosed):
            await websocket.recv()
        assert websocket.close_code == 1008


async def create_private_template_of(client: Client, version: Body) -> Body:
    body = {"name": "docker", "template_version_id": version["id"], "disable_everyone_group_access": True}
    return checked(await client.post("/organizations/default/templates", json=body))


async def test_one_user_follows_a_number_of_jobs_and_no_more(
    address: str, owner: Client, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_logs, "MAX_FOLLOWED", 1)
    version = await create_version(owner)
    async with following(address, owner, path_of(version)):
        await eventually(lambda: services.job_logs.following == 1)
        assert await status_of(address, owner, path_of(version)) == 429
    await eventually(lambda: services.job_logs.following == 0)  # who leaves is noticed
    async with following(address, owner, path_of(version)):
        await eventually(lambda: services.job_logs.following == 1)


async def test_following_needs_a_websocket(owner: Client) -> None:
    version = await create_version(owner)
    refused(await owner.get(path_of(version), params={"follow": ""}), 426)
