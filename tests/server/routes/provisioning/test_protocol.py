"""Daemons that do not behave, and what is left of those that go."""

from __future__ import annotations

import asyncio

import pytest

from coder_enterprise.server.rpc.calls import RPCError
from coder_enterprise.server.rpc.session import StreamReset
from coder_enterprise.server.services.all import Services
from coder_enterprise.server.services.provisioning.orders import Orders
from coder_enterprise.wire.provisioning import messages_pb2 as pb
from tests.support.api import Client
from tests.support.provisioners import Daemon, create_version, session_of
from tests.support.serving import eventually

PING = b"\x00\x02\x00\x01" + bytes(8)
"""A frame of yamux that is welcome."""


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
        broken.setattr(Orders, "order", break_down)
        with pytest.raises(RPCError, match=r"^internal error$"):
            await daemon.acquire()
    assert (await daemon.acquire()).job_id


async def test_nothing_waits_for_a_daemon_that_is_gone(daemon: Daemon, services: Services) -> None:
    acquiring = asyncio.create_task(daemon.acquire())
    await eventually(lambda: services.job_queue.waiting)
    daemon.kill()
    await asyncio.gather(acquiring, return_exceptions=True)
    await eventually(lambda: not services.job_queue.waiting)
