"""Which proxy a request goes through, by the environment: the rules of Go's programs (golang.org/x/net/http/httpproxy),
so that one setting serves kubectl, Coder and the operator alike.

Asked by both HTTP clients, that of Coder and that of Kubernetes. A variable in upper case goes before the same in lower
case. ALL_PROXY serves where the variable of the scheme is missing, as curl has it. What Go does silently with a proxy
that it cannot use, is an error here. Credentials of a proxy are never shown.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import SplitResult, urlsplit

import aiohttp
from typing_extensions import override

DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class ProxyUnusable(ValueError):
    """What names a proxy names none that can be used; says which variable or field, and what is wrong."""


@dataclass(frozen=True)
class Proxy:
    url: str = field(repr=False)
    """With its credentials, if it has any."""
    source: str
    """Where it is named: a variable, or a field of a kubeconfig."""

    @override
    def __str__(self) -> str:
        """Without credentials."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]} of {self.source}"


def proxy_for(url: str, environment: Mapping[str, str] = os.environ) -> Proxy | None:
    """None: no proxy. Raises `ProxyUnusable`, and `ValueError` when `url` is none."""
    parts = urlsplit(url)
    for name in (f"{parts.scheme}_proxy", "all_proxy"):
        source, value = _variable(name, environment)
        if value:
            return None if _is_exempt(parts, _variable("no_proxy", environment)[1]) else named(value, source)
    return None


def named(value: str, source: str) -> Proxy:
    """The proxy that `source` names as `value`; Go reads one without a scheme as an http one."""
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ProxyUnusable(f"{source} names no proxy: write http://host:port")
    if parts.scheme.startswith("socks"):
        raise ProxyUnusable(f"{source} names a SOCKS proxy, which is not supported: name an HTTP proxy")
    if parts.scheme not in DEFAULT_PORTS:
        raise ProxyUnusable(f"{source} names a proxy of the scheme {parts.scheme}: write http://host:port")
    return Proxy(parts.geturl(), source)


def _variable(name: str, environment: Mapping[str, str]) -> tuple[str, str]:
    for spelling in (name.upper(), name):
        if environment.get(spelling, "").strip():
            return spelling, environment[spelling].strip()
    return name.upper(), ""


def _is_exempt(parts: SplitResult, no_proxy: str) -> bool:
    host = (parts.hostname or "").rstrip(".")
    port = parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    return any(_matches(rule, host, port, address) for rule in _rules(no_proxy))


def _rules(no_proxy: str) -> Iterator[str]:
    return filter(None, (rule.strip().lower() for rule in no_proxy.split(",")))


def _matches(rule: str, host: str, port: int, address: IPv4Address | IPv6Address | None) -> bool:
    if rule == "*":
        return True
    network = _network(rule)
    if network is not None:
        return address is not None and address in network
    name, wanted = _name_and_port(rule)
    if not name or wanted not in {"", str(port)}:
        return False
    exempt = _address(name)
    if exempt is not None:
        return exempt == address
    suffix = _ascii(name.removeprefix("*"))
    return host.endswith(suffix if suffix.startswith(".") else f".{suffix}") or host == suffix


def _name_and_port(rule: str) -> tuple[str, str]:
    """As `host:port`, `[v6]:port`, or without a port."""
    if rule.startswith("["):
        name, _, rest = rule[1:].partition("]")
        return name, rest.removeprefix(":")
    name, colon, port = rule.rpartition(":")
    return (name, port) if colon and ":" not in name else (rule, "")


def _network(rule: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(rule, strict=False) if "/" in rule else None
    except ValueError:
        return None


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An IPv4 address within IPv6 is the IPv4 one."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _ascii(name: str) -> str:
    try:
        return name.encode("idna").decode() if not name.isascii() else name
    except UnicodeError:
        return name


# What is said when a proxy fails


def failure(proxy: Proxy | None, url: str, error: Exception) -> str | None:
    """What an error of the HTTP library means that came from the proxy; None when it is another one."""
    if proxy is None:
        return None
    host = urlsplit(url).hostname
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        cause = error.os_error.strerror or str(error.os_error)
        return f"the proxy {proxy} cannot be reached: {cause}; mend {proxy.source}, or name {host} in NO_PROXY"
    if not isinstance(error, aiohttp.ClientHttpProxyError):
        return None
    if error.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return wants_credentials(proxy)
    refusal = f"{error.status} {error.message}"
    return f"the proxy {proxy} does not connect to {host}: {refusal}; allow it there, or name {host} in NO_PROXY"


def wants_credentials(proxy: Proxy) -> str:
    return f"the proxy {proxy} wants other credentials (407); write them there as http://user:password@host:port"
