"""Whom a proxy names in headers, and which proxy is believed.

Called by the gate in the mode `proxy`. Nothing but the connection itself says who the proxy is: its address, or the
certificate that it shows. A request that comes from anywhere else, or says a thing twice, is refused: a header that is
not wanted is somebody's try to be somebody else.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final, TypeAlias

from aiohttp import web

from coder_enterprise.page.access.identity import Identity

USER: Final = "X-Forwarded-User"
GROUPS: Final = "X-Forwarded-Groups"
AUTHENTICATED: Final = "system:authenticated"
KUBERNETES: Final = "system:"
"""What the names begin with that Kubernetes keeps to itself, such as system:masters, who may everything."""
LONGEST_NAME: Final = 1_024
MOST_GROUPS: Final = 500

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


class NotBelieved(Exception):
    """Why a request is refused that says whom it comes from."""


class TrustedProxies:
    def __init__(self, networks: Sequence[Network], *, by_certificate: bool) -> None:
        """`networks` are where they are, none is anywhere; `by_certificate`: they show one of our authority, too."""
        self._networks = tuple(networks)
        self._by_certificate = by_certificate

    def named(self, request: web.Request) -> Identity | None:
        """None where the proxy names nobody. Raises `NotBelieved`."""
        if not self._believes(request):
            raise NotBelieved("this page answers nobody but the proxy before it")
        users = request.headers.getall(USER, [])
        groups = request.headers.getall(GROUPS, [])
        if len(users) > 1 or len(groups) > 1:
            raise NotBelieved(f"{USER} or {GROUPS} is there more than once: the proxy must replace what clients send")
        user = users[0].strip() if users else ""
        if not user:
            return None
        names = [each.strip() for each in (groups[0].split(",") if groups else ()) if each.strip()]
        return Identity(_checked(user), _groups(names))

    def _believes(self, request: web.Request) -> bool:
        transport = request.transport
        if transport is None or not (self._networks or self._by_certificate):
            return False
        if self._by_certificate and not transport.get_extra_info("peercert"):
            return False
        return not self._networks or _is_in(transport.get_extra_info("peername"), self._networks)


def parse_network(text: str) -> Network:
    """An address, or a network such as 10.0.0.0/8. Raises `ValueError`."""
    network = ipaddress.ip_network(text.strip())
    if network.prefixlen == 0:
        raise ValueError(f"{text} is everybody")
    return network


def _is_in(peer: object, networks: Sequence[Network]) -> bool:
    if not isinstance(peer, tuple):
        return False
    address = ipaddress.ip_address(str(peer[0]).partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped  # as a socket for both names a client of IPv4
    return any(address in network for network in networks)


def _groups(names: Sequence[str]) -> tuple[str, ...]:
    if len(names) > MOST_GROUPS:
        raise NotBelieved(f"{GROUPS} has more than {MOST_GROUPS} groups")
    own = {_checked(name) for name in names if name != AUTHENTICATED}
    return (*sorted(own), AUTHENTICATED)


def _checked(name: str) -> str:
    if name.startswith(KUBERNETES):
        raise NotBelieved(f"{name[:100]!r} is a name that Kubernetes keeps to itself, and no proxy may give")
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise NotBelieved("a name is too long, or not one")
    return name
