"""Jobs that wait, and which daemon gets which."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest

from coder_enterprise.server.rpc.calls import RPCError
from coder_enterprise.server.services.all import Services
from coder_enterprise.server.services.provisioning import job_queue, protocol
from coder_enterprise.server.services.provisioning.serving import Serving
from coder_enterprise.server.storage.database import Database
from coder_enterprise.server.storage.provisioning import provisioner_daemons
from coder_enterprise.wire.provisioning import messages_pb2 as pb
from tests.support.api import Client
from tests.support.provisioners import TAR, Daemon, create_version, job_of, session_of
from tests.support.serving import eventually


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
    await eventually(lambda: services.job_queue.waiting == 1)
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
    monkeypatch.setattr(protocol, "ACQUIRE_TIMEOUT", 0.05)
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
    monkeypatch.setattr(job_queue, "MAX_MESSAGE", len(TAR) + 400)
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
    acquiring = asyncio.create_task(services.job_queue.acquire(Serving(row), asyncio.Event().wait()))
    await given.wait()
    acquiring.cancel()
    with pytest.raises(asyncio.CancelledError):
        await acquiring
    assert (await job_of(owner, version))["status"] == "pending"
    assert (await daemon.acquire()).job_id == version["job"]["id"]
