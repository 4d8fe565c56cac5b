"""Jobs from the daemon that got them to their end, as daemons and users see them."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from coder_enterprise.server.rpc.calls import RPCError
from coder_enterprise.server.services.all import Services
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.provisioning import job_course
from coder_enterprise.wire.provisioning import messages_pb2 as pb
from tests.support.api import Client, checked
from tests.support.provisioners import Daemon, create_version, create_workspace, job_of, session_of
from tests.support.templates import create_template


async def test_logs_are_kept_in_order(daemon: Daemon, owner: Client) -> None:
    version = await create_version(owner)
    job = await daemon.acquire()
    await daemon.update(job, "one", "tw\0o")
    await daemon.update(job, "three")
    path = f"/templateversions/{version['id']}/logs"
    lines = (await owner.get(path)).json()
    assert [line["output"] for line in lines] == ["one", "two", "three"]
    assert {(line["log_source"], line["log_level"], line["stage"]) for line in lines} == {
        ("provisioner", "info", "Test")
    }
    assert lines[0]["created_at"] == "1970-01-01T00:00:01Z"
    after = (await owner.get(path, params={"after": lines[1]["id"]})).json()
    assert [line["output"] for line in after] == ["three"]


async def test_logs_end_where_they_grow_too_long(
    daemon: Daemon, owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_course, "MAX_LOGS", 100)
    version = await create_version(owner)
    job = await daemon.acquire()
    for _ in range(3):
        await daemon.update(job, "x" * 50)
    assert len((await owner.get(f"/templateversions/{version['id']}/logs")).json()) == 1
    assert (await job_of(owner, version))["logs_overflowed"] is True


async def test_a_completed_version_has_what_was_read_of_it(daemon: Daemon, owner: Client) -> None:
    version = await create_version(owner)
    job = await daemon.acquire()
    assert (await job_of(owner, version))["status"] == "running"
    await daemon.update(job, readme=b"# Hello")
    await daemon.complete(job, pb.Resource(name="dev", type="docker_container", daily_cost=3))
    shown = checked(await owner.get(f"/templateversions/{version['id']}"))
    assert (shown["job"]["status"], shown["readme"]) == ("succeeded", "# Hello")
    assert shown["job"]["worker_name"] == "first"
    resources = (await owner.get(f"/templateversions/{version['id']}/resources")).json()
    assert [(item["name"], item["daily_cost"], item["workspace_transition"]) for item in resources] == [
        ("dev", 3, "start")
    ]


async def test_variables_get_their_values(daemon: Daemon, owner: Client) -> None:
    await create_version(owner, user_variable_values=[{"name": "region", "value": "eu"}])
    job = await daemon.acquire()
    variables = [
        pb.TemplateVariable(name="region", required=True, sensitive=True),
        pb.TemplateVariable(name="size", default_value="big"),
    ]
    answer = await daemon.update(job, template_variables=variables)
    assert [(item.name, item.value, item.sensitive) for item in answer.variable_values] == [
        ("region", "eu", True),
        ("size", "big", False),
    ]
    with pytest.raises(RPCError, match="zone"):
        await daemon.update(job, template_variables=[pb.TemplateVariable(name="zone", required=True)])


async def test_tags_that_a_template_brings_are_those_of_its_workspaces(
    address: str, daemon: Daemon, owner: Client
) -> None:
    version = await create_version(owner)
    job = await daemon.acquire()
    with pytest.raises(RPCError, match="Validation"):
        await daemon.update(job, workspace_tags={"zone": "x" * 300})
    await daemon.update(job, workspace_tags={"zone": "eu"})
    await daemon.complete(job)
    template = await create_template(owner, "cloud", template_version_id=version["id"])
    workspace = await create_workspace(owner, template, "dev")
    tags = workspace["latest_build"]["job"]["tags"]
    assert tags == {"scope": "organization", "owner": "", "zone": "eu"}


async def test_a_failed_job_says_why(daemon: Daemon, owner: Client) -> None:
    version = await create_version(owner)
    await daemon.fail(await daemon.acquire(), "no such\0 module", error_code="X")
    job = await job_of(owner, version)
    assert (job["status"], job["error"], job["error_code"]) == ("failed", "no such module", "X")


async def test_a_job_ends_once(daemon: Daemon, owner: Client) -> None:
    await create_version(owner)
    job = await daemon.acquire()
    await daemon.complete(job)
    with pytest.raises(RPCError, match="ended already"):
        await daemon.fail(job, "late")
    with pytest.raises(RPCError, match="ended already"):
        await daemon.update(job, "late")


async def test_another_daemons_job_is_refused(address: str, owner: Client, daemon: Daemon) -> None:
    version = await create_version(owner)
    job = await daemon.acquire()
    async with Daemon(address, session_of(owner), name="second") as second:
        for attempt in (
            second.update(job, "x"),
            second.complete(job),
            second.fail(job, "x"),
            second.commit_quota(job, 1),
        ):
            with pytest.raises(RPCError, match="not this daemon's"):
                await attempt
    assert (await job_of(owner, version))["status"] == "running"


async def test_a_job_that_waits_is_nobodys(daemon: Daemon, owner: Client) -> None:
    version = await create_version(owner)
    with pytest.raises(RPCError, match="not this daemon's"):
        await daemon.complete(pb.AcquiredJob(job_id=version["job"]["id"], template_import={}))


@pytest.mark.parametrize("job_id", ["", "x", "11111111-1111-4111-8111-111111111111"])
async def test_an_unknown_job_is_refused(daemon: Daemon, job_id: str) -> None:
    with pytest.raises(RPCError):
        await daemon.update(pb.AcquiredJob(job_id=job_id), "x")


async def test_a_result_of_another_type_is_refused(daemon: Daemon, owner: Client) -> None:
    await create_version(owner)
    job = await daemon.acquire()
    with pytest.raises(RPCError, match="template_import"):
        await daemon.complete(pb.AcquiredJob(job_id=job.job_id, workspace_build={}))
    with pytest.raises(RPCError, match="workspace"):
        await daemon.commit_quota(job, 1)


async def test_a_daemon_hears_that_its_job_is_canceled(daemon: Daemon, owner: Client) -> None:
    version = await create_version(owner)
    job = await daemon.acquire()
    assert (await daemon.update(job)).canceled is False
    checked(await owner.patch(f"/templateversions/{version['id']}/cancel"))
    assert (await daemon.update(job)).canceled is True
    assert (await job_of(owner, version))["status"] == "canceling"
    await daemon.complete(job)
    assert (await job_of(owner, version))["status"] == "canceled"


async def test_a_canceled_job_that_waits_has_ended(daemon: Daemon, owner: Client) -> None:
    version = await create_version(owner)
    checked(await owner.patch(f"/templateversions/{version['id']}/cancel"))
    assert (await job_of(owner, version))["status"] == "canceled"
    cancel = asyncio.Event()
    cancel.set()
    assert (await daemon.acquire(cancel=cancel)).job_id == ""


# Silence.


async def test_a_job_whose_daemon_was_killed_fails_after_a_while(
    address: str, owner: Client, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = await create_version(owner)
    async with Daemon(address, session_of(owner)) as daemon:
        await daemon.acquire()
        daemon.kill()
    assert await services.job_course.give_up_hung() == 0
    monkeypatch.setattr(job_course, "now", lambda: now() + timedelta(minutes=5, seconds=1))
    assert await services.job_course.give_up_hung() == 1
    job = await job_of(owner, version)
    assert job["status"] == "failed"
    assert "5 minutes" in job["error"]


async def test_an_update_keeps_a_job_alive(
    daemon: Daemon, owner: Client, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = await create_version(owner)
    job = await daemon.acquire()
    monkeypatch.setattr(job_course, "now", lambda: now() + timedelta(minutes=4))
    await daemon.update(job)
    monkeypatch.setattr(job_course, "now", lambda: now() + timedelta(minutes=8))
    assert await services.job_course.give_up_hung() == 0
    assert (await job_of(owner, version))["status"] == "running"


async def test_a_daemon_that_was_cut_off_goes_on_with_its_job(address: str, owner: Client) -> None:
    version = await create_version(owner)
    async with Daemon(address, session_of(owner), name="same") as daemon:
        job = await daemon.acquire()
        daemon.kill()
    async with Daemon(address, session_of(owner), name="same") as daemon:
        await daemon.complete(job)
    assert (await job_of(owner, version))["status"] == "succeeded"


async def test_a_job_that_waits_is_never_given_up(
    owner: Client, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = await create_version(owner)
    monkeypatch.setattr(job_course, "now", lambda: now() + timedelta(days=1))
    assert await services.job_course.give_up_hung() == 0
    assert (await job_of(owner, version))["status"] == "pending"
