"""Addresses to listen on: how they are written, and what listens there. Called by the commands, before they import.

Who listens early loses no client that comes while the rest starts, and no probe: connections wait until they are
accepted.
"""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import Final

from typing_extensions import override

BACKLOG: Final = 2048
"""Connections that may wait to be accepted."""

_FORM: Final = re.compile(r"(?:\[(?P<six>[^\]]*)\]|(?P<name>[^\s:\[\]/@]*)):(?P<port>[0-9]{1,5})")
_NO_IPV6: Final = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})


class AddressError(ValueError):
    """An address that cannot be used; the message names the setting, the cause, and how it is written."""


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    """A name or an address; "" is every address of the machine, of IPv4 and IPv6."""
    port: int
    """0 picks a free one."""

    @override
    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(setting: str, text: str) -> Address:
    """host:port, [IPv6]:port, or :port for every address. Raises `AddressError`, which begins with `setting`."""
    found = _FORM.fullmatch(text.strip())
    if not found or int(found["port"]) > 65535 or not (found["six"] is None or _is_ipv6(found["six"])):
        raise AddressError(
            f"{setting}: {text!r} is not host:port, [IPv6 address]:port or :port, such as 127.0.0.1:3000 or [::]:3000"
        )
    host = found["name"] if found["six"] is None else found["six"]
    return Address(host, int(found["port"]))


def listen(setting: str, address: Address) -> socket.socket:
    """Connections wait there from now on. Raises `AddressError`, which begins with `setting`."""
    try:
        return _listen_everywhere(address.port) if address.host in ("", "::") else _listen_at(address)
    except OSError as error:
        cause = error.strerror or str(error)
        raise AddressError(f"{setting}: cannot listen on {address}: {cause}") from None


def url_of(listener: socket.socket, scheme: str = "http") -> str:
    """Where it answers, as far as this machine knows."""
    host, port = listener.getsockname()[:2]
    return f"{scheme}://{Address(host, port)}"


def bracketed(url: str) -> str:
    """A URL whose host is a bare IPv6 address and a port, as a pod makes it of its own IP, with what it lacks."""
    found = re.fullmatch(r"(https?://)([0-9A-Fa-f:.]+):([0-9]{1,5})(/.*)?", url)
    if not found or not _is_ipv6(found[2]):
        return url
    return f"{found[1]}[{found[2]}]:{found[3]}{found[4] or ''}"


def _listen_everywhere(port: int) -> socket.socket:
    """Of IPv4 alone where the machine has no IPv6."""
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=BACKLOG)
        except OSError as error:
            if error.errno not in _NO_IPV6:
                raise
    return socket.create_server(("0.0.0.0", port), backlog=BACKLOG)  # noqa: S104 - what was asked for


def _listen_at(address: Address) -> socket.socket:
    """The first one of a name with several addresses; of IPv4, if there is one."""
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, *_, place = min(found, key=lambda each: each[0] != socket.AF_INET)
    return socket.create_server(place, family=family, backlog=BACKLOG)


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True
