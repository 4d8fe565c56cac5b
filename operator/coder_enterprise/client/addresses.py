"""Addresses that no Coder has: link-local ones, where clouds tell machines their credentials.

Used by `client.http` when a socket is made, so after name resolution: whichever name, number or rebinding leads there.
Through a proxy only what a URL itself says is known here, and what a name leads to is the proxy's to judge. Loopback
stays allowed, for tests and the demo.
"""

from __future__ import annotations

import socket
import unicodedata
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

METADATA: Final = frozenset(
    map(
        ip_address,
        (
            "fd00:ec2::254",  # Amazon
            "fd00:ec2::23",  # Amazon, of pods
            "168.63.129.16",  # Azure
            "fd20:ce::254",  # Google
            "192.0.0.192",  # Oracle
            "fd00:c1::a9fe:a9fe",
            "100.100.100.200",  # Alibaba
            "fd00:a9fe:a9fe::1",  # Linode
            "fd00:42::42",  # Scaleway
        ),
    )
)
"""The metadata services that are not link-local."""
_EMBEDDING: Final = (
    IPv6Network("::/96"),  # IPv4-compatible
    IPv6Network("::ffff:0:0/96"),  # IPv4-mapped
    IPv6Network("::ffff:0:0:0/96"),  # IPv4-translated
    IPv6Network("64:ff9b::/96"),  # NAT64
    IPv6Network("64:ff9b:1::/48"),  # NAT64 of one's own (RFC 8215), as far as it ends with the address
)
"""Networks whose addresses end with an IPv4 address that they stand for."""

AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]
"""As `socket.getaddrinfo` answers."""


class RefusedAddress(OSError):
    """The connection is not even tried."""


def is_refused(address: str) -> bool:
    """Whether nobody may be connected to there; False for what is no address in any notation."""
    parsed = _parsed(address)
    if parsed is None:
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


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    """Also of the notations that only the C library reads, such as 0xA9FEA9FE, and with full stops of other scripts."""
    plain = unicodedata.normalize("NFKC", address).replace("。", ".").rstrip(".")
    try:
        return ip_address(plain.partition("%")[0])
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(plain)) if plain[:1].isdigit() and " " not in plain else None
    except (OSError, UnicodeError):
        return None


def _embedded(address: IPv4Address | IPv6Address) -> list[IPv4Address]:
    """IPv4 addresses that an IPv6 address stands for."""
    if isinstance(address, IPv4Address):
        return []
    last = IPv4Address(int(address) & 0xFFFFFFFF) if any(address in network for network in _EMBEDDING) else None
    return [item for item in (last, address.sixtofour) if item is not None]
