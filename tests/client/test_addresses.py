"""Addresses that no Coder has, whichever way a URL leads there."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from pydantic import TypeAdapter

from coder_enterprise.client import errors
from coder_enterprise.client.addresses import is_refused
from coder_enterprise.client.http import ConnectionSettings, Transport
from tests.support.scripted import TOKEN, Scripted

METADATA = "169.254.169.254"


@pytest.mark.parametrize(
    "address",
    [
        METADATA,
        "169.254.0.1",
        "fe80::1",
        "fe80::1%eth0",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "fd00:ec2::254",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd20:ce::254",
        "fd00:c1::a9fe:a9fe",
        "::169.254.169.254",
        "::ffff:0:a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe",
        "2852039166",
        "0xA9FEA9FE",
        "0251.0376.0251.0376",
        "169.254.43518",
        "169.254.169.254.",
        "169。254。169。254",
        "①⑥⑨.254.169.254",
    ],
)
def test_link_local_and_metadata_addresses_are_refused(address: str) -> None:
    assert is_refused(address)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "fd00::1", "coder.example.com", "1.example.com", ""]
)
def test_all_others_are_not(address: str) -> None:
    assert not is_refused(address)


@pytest.fixture
async def leads_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name resolves to the metadata service."""

    async def resolve(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (METADATA, 80))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve, raising=False)


async def failure(settings: ConnectionSettings) -> str:
    transport = Transport(settings)
    try:
        with pytest.raises(errors.Unreachable) as caught:
            await transport.get("things.get", "/thing", TypeAdapter(Any))
    finally:
        await transport.close()
    return caught.value.message


@pytest.mark.parametrize("host", [METADATA, "[fe80::1]", "[::ffff:169.254.169.254]"])
async def test_nothing_is_sent_to_a_link_local_address(host: str) -> None:
    assert "where no Coder is" in await failure(ConnectionSettings(f"http://{host}", TOKEN))


@pytest.mark.usefixtures("leads_there")
@pytest.mark.parametrize("host", ["innocent.example.com", "0xA9FEA9FE"])
async def test_nor_to_a_name_or_a_number_that_leads_there(host: str) -> None:
    assert "where no Coder is" in await failure(ConnectionSettings(f"http://{host}", TOKEN))


async def test_loopback_is_as_good_as_any(server: Scripted) -> None:
    server.answer("/thing", {"name": "x"})
    for anywhere in (False, True):
        transport = Transport(ConnectionSettings(server.url, TOKEN, anywhere=anywhere))
        assert await transport.get("things.get", "/thing", TypeAdapter(Any)) == {"name": "x"}
        await transport.close()
