"""Provisioner daemons from their registration to their end."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from coder_enterprise.server.budgets import Budgets
from coder_enterprise.server.rpc.session import SessionClosed, Stream, StreamReset
from coder_enterprise.server.services.all import Services
from coder_enterprise.server.services.provisioning import daemon_sessions
from coder_enterprise.wire.provisioning.drpc import encode_varint
from tests.support.api import Client, checked
from tests.support.provisioners import Daemon, listening, serve_url, session_of
from tests.support.serving import eventually

PSK = "a-long-pre-shared-key"
DAEMONS = "/organizations/default/provisionerdaemons"
SERVE = f"{DAEMONS}/serve"
KEYS = "/organizations/default/provisionerkeys"


@pytest.fixture
async def key(owner: Client) -> str:
    answer = await owner.post(KEYS, json={"name": "site", "tags": {"zone": "a"}})
    made: str = checked(answer)["key"]
    return made


async def listed(client: Client, **filters: Any) -> list[dict[str, Any]]:
    answer = await client.get(DAEMONS, params=filters)
    assert answer.status_code == 200
    daemons: list[dict[str, Any]] = answer.json()
    return daemons


async def refused_upgrade(address: str, headers: dict[str, str], **query: Any) -> int:
    with pytest.raises(InvalidStatus) as caught:
        async with connect(serve_url(address, **query), additional_headers=headers):
            pass
    assert b'"message"' in (caught.value.response.body or b"")
    return caught.value.response.status_code


async def test_a_connected_daemon_is_seen_again_and_again(
    address: str, owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon_sessions, "HEARTBEAT", 0.01)
    async with Daemon(address, session_of(owner)):
        before = (await listed(owner))[0]["updated_at"]["time"]
        while (await listed(owner))[0]["updated_at"]["time"] == before:
            pass


async def test_a_daemon_that_comes_back_is_the_same(address: str, owner: Client) -> None:
    seen = []
    for version in ("1.0", "1.4"):
        async with Daemon(address, session_of(owner), name="Same", version=version):
            seen += await listed(owner)
    assert len(seen) == 2
    assert (seen[0]["id"], seen[0]["created_at"]) == (seen[1]["id"], seen[1]["created_at"])


async def test_daemons_of_other_users_are_others(address: str, owner: Client, member: Client) -> None:
    async with (
        Daemon(address, session_of(owner), name="same", tags={"scope": "user"}),
        Daemon(address, session_of(member), name="same", tags={"scope": "user", "owner": owner.user_id}),
    ):
        shown = await listed(owner)
    assert {daemon["tags"]["owner"] for daemon in shown} == {owner.user_id, member.user_id}


async def test_a_daemon_whose_key_is_deleted_is_sent_away(
    address: str, owner: Client, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon_sessions, "HEARTBEAT", 0.01)
    async with Daemon(address, {"Coder-Provisioner-Daemon-Key": key}) as daemon:
        assert (await owner.delete(f"{KEYS}/site")).status_code == 204
        await daemon.websocket.wait_closed()
    assert await listed(owner) == []
    assert await refused_upgrade(address, {"Coder-Provisioner-Daemon-Key": key}) == 401


async def test_no_task_is_left_of_a_daemon_that_is_gone(address: str, owner: Client) -> None:
    before = len(asyncio.all_tasks())
    async with Daemon(address, session_of(owner)) as daemon:
        acquiring = asyncio.create_task(daemon.acquire())
        await eventually(lambda: len(asyncio.all_tasks()) > before + 5)
        daemon.kill()
        with pytest.raises(SessionClosed):
            await acquiring
    await eventually(lambda: len(asyncio.all_tasks()) <= before)


async def test_a_server_that_ends_says_so_to_its_daemons(services: Services, owner: Client) -> None:
    async with contextlib.AsyncExitStack() as stack:
        async with listening(services) as address:
            daemon = await stack.enter_async_context(Daemon(address, session_of(owner)))
            acquiring = asyncio.create_task(daemon.acquire())
            await eventually(lambda: services.job_queue.waiting == 1)
        with pytest.raises(SessionClosed):
            await acquiring


async def test_a_user_has_only_so_many_daemons(
    services: Services, member: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each name is a row that stays for a week."""
    monkeypatch.setattr(daemon_sessions, "MAX_OF_ONE_USER", 2)
    own = {"scope": "user"}
    async with listening(services) as address:
        for name in ("a", "b", "a"):
            async with Daemon(address, session_of(member), name=name, tags=own):
                pass
        with pytest.raises(InvalidStatus, match="403"):
            async with Daemon(address, session_of(member), name="c", tags=own):
                pass


async def test_a_user_connects_only_so_many_daemons_at_once(
    services: Services, member: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon_sessions, "MAX_OF_ONE_USER", 1)
    own = {"scope": "user"}
    async with listening(services) as address:
        async with Daemon(address, session_of(member), name="a", tags=own):
            with pytest.raises(InvalidStatus, match="429"):
                async with Daemon(address, session_of(member), name="a", tags=own):
                    pass
        await eventually(lambda: not services.daemon_sessions._connected.total())
        async with Daemon(address, session_of(member), name="a", tags=own):
            pass


async def test_daemons_that_come_at_the_same_time_are_counted_before_they_are_registered(
    services: Services, member: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon_sessions, "MAX_OF_ONE_USER", 2)
    async with listening(services) as address, contextlib.AsyncExitStack() as stack:
        daemons = [Daemon(address, session_of(member), name="a", tags={"scope": "user"}) for _ in range(6)]
        connecting = (stack.enter_async_context(daemon) for daemon in daemons)
        outcomes = await asyncio.gather(*connecting, return_exceptions=True)
    assert sum(isinstance(outcome, Daemon) for outcome in outcomes) == 2


async def _send_half_a_packet(daemon: Daemon) -> Stream:
    """Of a thousand bytes: the rest never comes."""
    stream = await daemon.session.open()
    await stream.write(bytes([1 << 1]) + b"".join(map(encode_varint, (1, 1, 1000))) + bytes(500))
    return stream


async def test_no_user_takes_what_the_daemons_of_others_need(
    address: str, services: Services, monkeypatch: pytest.MonkeyPatch, owner: Client, member: Client
) -> None:
    held = services.daemon_sessions._held
    monkeypatch.setattr(held, "limit", 1600)
    monkeypatch.setattr(services.daemon_sessions, "_held_of_users", Budgets(800, held))
    async with (
        Daemon(address, session_of(member), tags={"scope": "user"}, name="one") as one,
        Daemon(address, session_of(member), tags={"scope": "user"}, name="two") as two,
        Daemon(address, session_of(owner), name="everybody's") as everybodys,
    ):
        await _send_half_a_packet(one)
        await eventually(lambda: held.taken >= 500)
        with pytest.raises(StreamReset):
            await (await _send_half_a_packet(two)).read()
        await _send_half_a_packet(everybodys)
        await eventually(lambda: held.taken >= 1000)
