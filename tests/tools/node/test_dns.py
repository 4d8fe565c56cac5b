"""The cluster's DNS: Services have addresses, and nothing else exists."""

from __future__ import annotations

import contextlib
import socket
import struct
from ipaddress import IPv4Address

import pytest

from tools.node.dns import DNS, answer

SERVER = "server.coder.svc.cluster.local"
A, AAAA = 1, 28
NO_ERROR, NAME_ERROR, NOT_IMPLEMENTED = 0, 3, 4


def lookup(name: str, namespace: str) -> str | None:
    return {("server", "coder"): "10.96.7.1"}.get((name, namespace))


def query(name: str, kind: int = A, network: int = 1) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!6H", 4711, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", kind, network)


def code(message: bytes) -> int:
    return message[3] & 0x0F


def records(message: bytes) -> int:
    return int(struct.unpack_from("!H", message, 6)[0])


@pytest.mark.parametrize("name", [SERVER, SERVER.upper()])
def test_a_service_has_its_address(name: str) -> None:
    message = answer(query(name), lookup)
    assert (code(message), records(message)) == (NO_ERROR, 1)
    assert IPv4Address(message[-4:]) == IPv4Address("10.96.7.1")


def test_an_answer_has_the_number_and_the_question_of_its_query() -> None:
    asked = query(SERVER)
    message = answer(asked, lookup)
    assert message[:2] == asked[:2]
    assert message[12 : len(asked)] == asked[12:]


def test_a_service_has_no_address_of_ipv6_and_exists_all_the_same() -> None:
    message = answer(query(SERVER, AAAA), lookup)
    assert (code(message), records(message)) == (NO_ERROR, 0)


@pytest.mark.parametrize(
    "name",
    [
        "other.coder.svc.cluster.local",
        f"{SERVER}.coder.svc.cluster.local",
        "example.com",
        "server",
    ],
)
def test_what_is_no_service_does_not_exist(name: str) -> None:
    message = answer(query(name), lookup)
    assert (code(message), records(message)) == (NAME_ERROR, 0)


def test_another_network_than_the_internet_is_not_known() -> None:
    assert code(answer(query(SERVER, network=3), lookup)) == NOT_IMPLEMENTED


def test_it_answers_over_udp() -> None:
    with (
        contextlib.closing(DNS("127.0.0.1", lookup, port=0)) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        client.settimeout(10)
        client.sendto(query(SERVER), ("127.0.0.1", server.port))
        assert IPv4Address(client.recv(512)[-4:]) == IPv4Address("10.96.7.1")
