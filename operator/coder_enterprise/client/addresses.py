"""Addresses that no Coder has: link-local ones, where clouds tell machines their credentials.

Used by `client.http` when a socket is made, so after name resolution: whichever name, number or rebinding leads there,
and whichever proxy is used. Loopback stays allowed, for tests and the demo.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Final

METADATA: Final = frozenset(map(ip_address, ("fd00:ec2::254", "100.100.100.200", "168.63.129.16")))
"""Of Amazon, Alibaba and Azure: the metadata services that are not link-local."""

AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]
"""As `socket.getaddrinfo` answers."""


class RefusedAddress(OSError):
    """The connection is not even tried."""


def is_refused(address: str) -> bool:
    """Whether nobody may be connected to there; False for what is no address."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return any(item.is_link_local or item in METADATA for item in (parsed, *_embedded(parsed)))


def guarded_socket(info: AddressInfo) -> socket.socket:
    """For aiohttp's connector. Raises `RefusedAddress`."""
    host = str(info[4][0])
    if is_refused(host):
        raise RefusedAddress(0, f"{host} is a link-local or metadata address, where no Coder is")
    return any_socket(info)


def any_socket(info: AddressInfo) -> socket.socket:
    return socket.socket(info[0], info[1], info[2])


def _embedded(address: IPv4Address | IPv6Address) -> list[IPv4Address]:
    """IPv4 addresses that an IPv6 address stands for: mapped, 6to4, and through NAT64."""
    if isinstance(address, IPv4Address):
        return []
    nat64 = (
        IPv4Address(int(address) & 0xFFFFFFFF) if address.packed[:12] == bytes.fromhex("0064ff9b" + "0" * 16) else None
    )
    return [item for item in (address.ipv4_mapped, address.sixtofour, nat64) if item is not None]
