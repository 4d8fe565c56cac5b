"""Jobs, as daemons and users see them: from the queue to their end."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta
from typing import Any

import pytest

from coder_enterprise.server.routes.dependencies import Services
from coder_enterprise.server.services import provisioner_jobs, provisioner_orders, provisioner_protocol
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.provisioner_jobs import Serving
from coder_enterprise.server.storage import provisioner_daemons
from coder_enterprise.server.storage.database import Database
from coder_enterprise.wire.provisioning import messages_pb2 as pb
from coder_enterprise.wire.provisioning.calls import RPCError
from coder_enterprise.wire.provisioning.session import StreamReset
from tests.support.api import Body, Client, checked
from tests.support.provisioners import TAR, Daemon, create_version, create_workspace, session_of
from tests.support.serving import eventually
from tests.support.templates import create_template

PING = b"\x00\x02\x00\x01" + bytes(8)
"""A frame of yamux that is welcome."""


async def version_of(client: Client, version: Body) -> Body:
    return checked(await client.get(f"/templateversions/{version['id']}"))


async def job_of(client: Client, version: Body) -> Body:
    job: Body = (await version_of(client, version))["job"]
    return job


# The queue.


async def test_a_daemon_gets_what_a_version_is_made_of(daemon: Daemon, owner: Client) -> None:
    values = [{"name": "region", "value": "eu"}]
    version = await create_version(owner, name="v1", user_variable_values=values)
    order = await daemon.acquire()
    assert order.job_id == version["job"]["id"]
    assert order.template_source_archive == TAR
    assert (order.provisioner, order.user_name) == ("echo", "olivia")
    assert order.template_import.user_variable_values == [pb.VariableValue(name="region", value="eu")]
    assert order.template_import.metadata.template_version == "v1"


async def test_a_daemon_that_waits_is_woken_by_a_job(daemon: Daemon, owner: Client, services: Services) -> None:
    acquiring = asyncio.create_task(daemon.acquire())
    await eventually(lambda: services.provisioner_jobs.waiting == 1)
    version = await create_version(owner)
    assert (await acquiring).job_id == version["job"]["id"]


async def test_the_oldest_job_comes_first(daemon: Daemon, owner: Client) -> None:
    versions = [await create_version(owner) for _ in range(3)]
    assert [(await job_of(owner, version))["queue_position"] for version in versions] == [1, 2, 3]
    orders = [await daemon.acquire() for _ in versions]
    assert [order.job_id for order in orders] == [version["job"]["id"] for version in versions]
    assert (await job_of(owner, versions[0]))["queue_position"] == 0


async def test_two_daemons_never_get_one_job(address: str, owner: Client) -> None:
    async with (
        Daemon(address, session_of(owner), name="one") as one,
        Daemon(address, session_of(owner), name="two") as two,
    ):
        acquiring = [asyncio.create_task(daemon.acquire()) for daemon in (one, two) * 5]
        versions = [await create_version(owner) for _ in acquiring]
        orders = await asyncio.gather(*acquiring)
    assert sorted(order.job_id for order in orders) == sorted(version["job"]["id"] for version in versions)


async def test_a_cancelled_wait_answers_with_nothing(daemon: Daemon, owner: Client) -> None:
    cancel = asyncio.Event()
    cancel.set()
    assert (await daemon.acquire(cancel=cancel)).job_id == ""
    version = await create_version(owner)
    assert (await daemon.acquire()).job_id == version["job"]["id"]


async def test_an_old_daemon_waits_for_a_while_only(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provisioner_protocol, "ACQUIRE_TIMEOUT", 0.05)
    assert (await daemon.call("AcquireJob", pb.Empty(), pb.AcquiredJob)).job_id == ""


async def test_an_old_daemon_gets_jobs_too(daemon: Daemon, owner: Client) -> None:
    version = await create_version(owner)
    order = await daemon.call("AcquireJob", pb.Empty(), pb.AcquiredJob)
    assert order.job_id == version["job"]["id"]


async def test_tags_route_jobs(address: str, owner: Client, daemon: Daemon) -> None:
    async with Daemon(address, session_of(owner), name="eu", tags={"zone": "eu", "size": "big"}) as tagged:
        untagged = await create_version(owner)
        in_eu = await create_version(owner, tags={"zone": "eu"})
        in_us = await create_version(owner, tags={"zone": "us"})
        assert (await tagged.acquire()).job_id == in_eu["job"]["id"]
        assert (await daemon.acquire()).job_id == untagged["job"]["id"]
        cancel = asyncio.Event()
        cancel.set()
        assert (await tagged.acquire(cancel=cancel)).job_id == ""
        assert (await daemon.acquire(cancel=cancel)).job_id == ""
    assert (await job_of(owner, in_us))["status"] == "pending"


async def test_the_jobs_of_a_user_are_that_users_daemons(address: str, owner: Client, template_admin: Client) -> None:
    async with (
        Daemon(address, session_of(owner), tags={"scope": "user"}) as others,
        Daemon(address, session_of(template_admin), tags={"scope": "user"}) as own,
    ):
        version = await create_version(template_admin, tags={"scope": "user", "owner": owner.user_id})
        assert version["job"]["tags"] == {"scope": "user", "owner": template_admin.user_id}
        cancel = asyncio.Event()
        cancel.set()
        assert (await others.acquire(cancel=cancel)).job_id == ""
        assert (await own.acquire()).job_id == version["job"]["id"]


async def test_a_daemon_gets_jobs_of_its_provisioners_only(daemon: Daemon, owner: Client) -> None:
    await create_version(owner, provisioner="terraform")
    echo = await create_version(owner)
    assert (await daemon.acquire()).job_id == echo["job"]["id"]


async def test_a_job_that_nobody_can_be_sent_fails_and_the_next_one_comes(
    daemon: Daemon, owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provisioner_jobs, "MAX_MESSAGE", len(TAR) + 400)
    large = await create_version(owner, user_variable_values=[{"name": "x", "value": "y" * 1000}])
    small = await create_version(owner)
    assert (await daemon.acquire()).job_id == small["job"]["id"]
    assert (await job_of(owner, large))["status"] == "failed"


async def test_a_daemon_that_is_deleted_gets_no_job(address: str, owner: Client, database: Database) -> None:
    answer = await owner.post("/organizations/default/provisionerkeys", json={"name": "site"})
    async with Daemon(address, {"Coder-Provisioner-Daemon-Key": answer.json()["key"]}) as daemon:
        await create_version(owner)
        await owner.delete("/organizations/default/provisionerkeys/site")
        with pytest.raises(RPCError, match="not registered"):
            await daemon.acquire()


async def test_a_job_that_a_leaving_daemon_was_being_given_waits_again(
    daemon: Daemon, owner: Client, services: Services, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = await create_version(owner)
    home = uuid.UUID(version["organization_id"])
    ((row, _),) = await database.read(lambda connection: provisioner_daemons.of_organization(connection, home))
    given = asyncio.Event()
    write = database.write

    async def slow_write(work: Any) -> Any:
        outcome = await write(work)
        given.set()
        await asyncio.sleep(0)
        return outcome

    monkeypatch.setattr(database, "write", slow_write)
    acquiring = asyncio.create_task(services.provisioner_jobs.acquire(Serving(row), asyncio.Event().wait()))
    await given.wait()
    acquiring.cancel()
    with pytest.raises(asyncio.CancelledError):
        await acquiring
    assert (await job_of(owner, version))["status"] == "pending"
    assert (await daemon.acquire()).job_id == version["job"]["id"]


# Its course.


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
    monkeypatch.setattr(provisioner_jobs, "MAX_LOGS", 100)
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
    shown = await version_of(owner, version)
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
    assert await services.provisioner_jobs.give_up_hung() == 0
    monkeypatch.setattr(provisioner_jobs, "now", lambda: now() + timedelta(minutes=5, seconds=1))
    assert await services.provisioner_jobs.give_up_hung() == 1
    job = await job_of(owner, version)
    assert job["status"] == "failed"
    assert "5 minutes" in job["error"]


async def test_an_update_keeps_a_job_alive(
    daemon: Daemon, owner: Client, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = await create_version(owner)
    job = await daemon.acquire()
    monkeypatch.setattr(provisioner_jobs, "now", lambda: now() + timedelta(minutes=4))
    await daemon.update(job)
    monkeypatch.setattr(provisioner_jobs, "now", lambda: now() + timedelta(minutes=8))
    assert await services.provisioner_jobs.give_up_hung() == 0
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
    monkeypatch.setattr(provisioner_jobs, "now", lambda: now() + timedelta(days=1))
    assert await services.provisioner_jobs.give_up_hung() == 0
    assert (await job_of(owner, version))["status"] == "pending"


# Daemons that do not behave.


async def ends(daemon: Daemon) -> None:
    async with asyncio.timeout(20):
        await daemon.websocket.wait_closed()


@pytest.mark.parametrize(
    "message",
    [
        b"\x01" + bytes(11),
        b"\x00\x09" + bytes(10),
        b"\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\x01x",
        PING * (256 * 1024 // len(PING) + 1),
        "text",
    ],
    ids=["another version of yamux", "an unknown frame", "a stream that is not open", "too long", "text"],
)
async def test_a_message_that_cannot_be_ends_that_connection_alone(
    address: str, owner: Client, daemon: Daemon, message: bytes | str
) -> None:
    async with Daemon(address, session_of(owner), name="bad") as bad:
        await bad.websocket.send(message)
        await ends(bad)
    version = await create_version(owner)
    assert (await daemon.acquire()).job_id == version["job"]["id"]


async def test_an_unknown_method_is_refused_and_nothing_else_ends(daemon: Daemon, owner: Client) -> None:
    with pytest.raises(RPCError, match="unknown rpc"):
        await daemon.call("MineCoins", pb.Empty(), pb.Empty)
    await create_version(owner)
    assert (await daemon.acquire()).job_id


async def test_bytes_that_are_no_call_end_that_stream_alone(daemon: Daemon, owner: Client) -> None:
    stream = await daemon.session.open()
    await stream.write(b"\xff" * 100)
    with pytest.raises(StreamReset):
        await stream.read()
    stream.close()
    await create_version(owner)
    assert (await daemon.acquire()).job_id


async def test_a_daemon_that_does_not_listen_keeps_nobody_waiting(
    address: str, owner: Client, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = "y" * 100_000
    async with Daemon(address, session_of(owner), name="slow", provisioners=("terraform",)) as slow:
        values = [{"name": str(number), "value": large} for number in range(9)]
        await create_version(owner, provisioner="terraform", user_variable_values=values)
        slow.websocket.transport.pause_reading()
        acquiring = asyncio.create_task(slow.acquire())
        version = await create_version(owner)
        assert (await daemon.acquire()).job_id == version["job"]["id"]
        acquiring.cancel()
        await asyncio.gather(acquiring, return_exceptions=True)
        slow.kill()


async def test_a_fault_of_the_server_is_told_without_its_cause(
    daemon: Daemon, owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object) -> None:
        raise ZeroDivisionError("secret")

    await create_version(owner)
    with monkeypatch.context() as broken:
        broken.setattr(provisioner_orders, "order", break_down)
        with pytest.raises(RPCError, match=r"^internal error$"):
            await daemon.acquire()
    assert (await daemon.acquire()).job_id


async def test_nothing_waits_for_a_daemon_that_is_gone(daemon: Daemon, services: Services) -> None:
    acquiring = asyncio.create_task(daemon.acquire())
    await eventually(lambda: services.provisioner_jobs.waiting)
    daemon.kill()
    await asyncio.gather(acquiring, return_exceptions=True)
    await eventually(lambda: not services.provisioner_jobs.waiting)
