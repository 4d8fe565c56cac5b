"""Who the client is: its address, which proxies before the server may tell, and its network.

Wrapped around the whole application by `app`, so that rate limits, the log and the audit see the same address. Only
what comes from an address among CODER_PROXY_TRUSTED_ORIGINS is believed, and only the headers among
CODER_PROXY_TRUSTED_HEADERS, as in Coder. Each proxy adds the address that it sees at the end of a list, so the client
is the last one that is not itself a trusted proxy: what stands before it, anybody may have written.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final, TypeAlias

from starlette.types import ASGIApp, Receive, Scope, Send

from coder_enterprise.server.context import client_address
from coder_enterprise.server.settings import Network

IPV6_PREFIX: Final = 64
"""Of the network that one sender has all of."""

_MAPPED: Final = "::ffff:"

_Address: TypeAlias = IPv4Address | IPv6Address


class ClientAddress:
    """ASGI middleware; without `headers` and `origins` a client is who connects."""

    def __init__(self, app: ASGIApp, headers: Sequence[str], origins: Sequence[Network]) -> None:
        self._app = app
        self._headers = [name.lower().encode() for name in headers]
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and (peer := scope.get("client")):
            scope["client"] = (self._client(scope, peer[0]), peer[1])
        client_address.set(address_of(scope))
        await self._app(scope, receive, send)

    def _client(self, scope: Scope, peer: str) -> str:
        if peer.startswith(_MAPPED):  # it listens on IPv6, and the client came by IPv4
            peer = peer.removeprefix(_MAPPED)
        if not self._origins or not self._is_trusted(_address(peer)):
            return peer
        for trusted in self._headers:
            values = [value for name, value in scope["headers"] if name == trusted]
            hops = [_address(hop) for hop in b",".join(values).decode("latin-1").split(",")]
            if (client := self._first_untrusted(hops)) is not None:
                return str(client)
        return peer

    def _first_untrusted(self, hops: Sequence[_Address | None]) -> _Address | None:
        """From the end; what is no address ends the list, for nobody knows who wrote it."""
        client = None
        for hop in reversed(hops):
            if hop is None:
                break
            client = hop
            if not self._is_trusted(hop):
                break
        return client

    def _is_trusted(self, address: _Address | None) -> bool:
        return address is not None and any(address in origin for origin in self._origins)


def address_of(scope: Scope) -> str:
    """Of the client, "" where there is none."""
    return str(scope["client"][0]) if scope.get("client") else ""


def network_of(scope: Scope) -> str:
    """The client's address; of IPv6 the network, since one sender has all of it."""
    host = address_of(scope)
    if ":" not in host:
        return host
    address = _address(host)
    if isinstance(address, IPv6Address):
        return str(ip_network((int(address), IPV6_PREFIX), strict=False))
    return str(address or host)


def _address(text: str) -> _Address | None:
    """With or without a port, a zone, or brackets; an IPv4 address in IPv6's clothes is one of IPv4."""
    host = text.strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
