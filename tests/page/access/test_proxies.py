"""The mode `proxy`: who is believed, and what not even they may say. Reviews are asked of a real cluster elsewhere."""

from __future__ import annotations

import ipaddress

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from coder_enterprise.page.access.identity import Identity
from coder_enterprise.page.access.proxies import GROUPS, MOST_GROUPS, USER, NotBelieved, TrustedProxies, parse_network

TEN = TrustedProxies([parse_network("10.0.0.0/8"), parse_network("fd00::/8")], by_certificate=False)
BY_CERTIFICATE = TrustedProxies([], by_certificate=True)
BOTH = TrustedProxies([parse_network("10.0.0.0/8")], by_certificate=True)


class Connection:
    """As a transport tells of it."""

    def __init__(self, address: str, certificate: object = None) -> None:
        self._facts = {"peername": (address, 1234), "peercert": certificate}

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self._facts.get(name, default)

    def is_closing(self) -> bool:
        return False


def named(proxies: TrustedProxies, connection: Connection, *said: tuple[str, str]) -> Identity | None:
    request = make_mocked_request("GET", "/", headers=CIMultiDict(said), transport=connection)
    return proxies.named(request)


def alice(proxies: TrustedProxies, connection: Connection) -> bool:
    try:
        return named(proxies, connection, (USER, "alice")) == Identity("alice", ("system:authenticated",))
    except NotBelieved:
        return False


@pytest.mark.parametrize(
    ("address", "believed"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),  # as a socket for both versions of IP tells it
        ("fd00::1", True),
        ("fe80::1%eth0", False),
        ("11.0.0.1", False),
        ("127.0.0.1", False),
        ("::ffff:11.0.0.1", False),
    ],
)
def test_a_proxy_is_believed_by_its_address(address: str, believed: bool) -> None:
    assert alice(TEN, Connection(address)) is believed


def test_an_address_that_somebody_claims_in_a_header_is_none() -> None:
    with pytest.raises(NotBelieved):
        named(TEN, Connection("11.0.0.1"), ("X-Forwarded-For", "10.0.0.1"), ("Forwarded", "for=10.0.0.1"), (USER, "x"))


def test_a_proxy_is_believed_by_its_certificate() -> None:
    assert alice(BY_CERTIFICATE, Connection("11.0.0.1", {"subject": "proxy"}))
    assert not alice(BY_CERTIFICATE, Connection("11.0.0.1"))


def test_with_both_settings_it_takes_both() -> None:
    assert alice(BOTH, Connection("10.0.0.1", {"subject": "proxy"}))
    assert not alice(BOTH, Connection("10.0.0.1"))
    assert not alice(BOTH, Connection("11.0.0.1", {"subject": "proxy"}))


def test_without_any_setting_nobody_is_believed() -> None:
    assert not alice(TrustedProxies([], by_certificate=False), Connection("127.0.0.1", {"subject": "proxy"}))


@pytest.mark.parametrize("header", [USER, GROUPS])
def test_what_is_said_twice_is_refused(header: str) -> None:
    with pytest.raises(NotBelieved, match="more than once"):
        named(TEN, Connection("10.0.0.1"), (USER, "alice"), (header, "one"), (header, "two"))


@pytest.mark.parametrize(
    "said",
    [
        [(USER, "system:admin")],
        [(USER, "system:serviceaccount:kube-system:default")],
        [(USER, "alice"), (GROUPS, "team, system:masters")],
        [(USER, "alice"), (GROUPS, "system:nodes")],
        [(USER, "a" * 2_000)],
        [(USER, "alice"), (GROUPS, ",".join(map(str, range(MOST_GROUPS + 1))))],
        [(USER, "ali\u202ece")],
    ],
)
def test_no_proxy_gives_a_name_of_kubernetes_itself_or_one_that_is_none(said: list[tuple[str, str]]) -> None:
    with pytest.raises(NotBelieved):
        named(TEN, Connection("10.0.0.1"), *said)


def test_groups_are_read_once_each() -> None:
    found = named(TEN, Connection("10.0.0.1"), (USER, " alice "), (GROUPS, "b,a, b,,system:authenticated"))
    assert found == Identity("alice", ("a", "b", "system:authenticated"))


@pytest.mark.parametrize(
    "said", [[], [(USER, "")], [(USER, "  ")], [(GROUPS, "admins")], [("X_Forwarded_User", "alice")]]
)
def test_without_a_name_it_is_nobody(said: list[tuple[str, str]]) -> None:
    assert named(TEN, Connection("10.0.0.1"), *said) is None


@pytest.mark.parametrize("text", ["0.0.0.0/0", "::/0", "10.0.0.1/8", "proxy", ""])
def test_everybody_is_no_proxy(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_network(text)


def test_one_address_is_a_network_of_one() -> None:
    assert parse_network("10.0.0.7") == ipaddress.ip_network("10.0.0.7/32")
