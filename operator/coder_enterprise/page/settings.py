"""What the page is started with, and which of it go together."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from coder_enterprise.page.access.modes import Mode
from coder_enterprise.page.access.proxies import Network, parse_network
from coder_enterprise.page.grafana import parse_grafana
from coder_enterprise.process.certificates import CertificateError, CertificateFiles, Clients, ServerCertificate

ADDRESS = "--page-address"
MODE = "--page-mode"
ACTIONS = "--page-actions"
PROXY = "--page-trusted-proxy"
PROXY_AUTHORITY = "--page-trusted-proxy-ca"
CERTIFICATE = "--page-tls-cert"
KEY = "--page-tls-key"
GRAFANA = "--page-grafana-url"


class SettingsError(ValueError):
    """Settings that do not go together, or cannot be used; the message begins with the option."""


@dataclass(frozen=True)
class PageSettings:
    listener: socket.socket
    """Where it is served; the page closes it at its end."""
    mode: Mode = Mode.LOCAL
    acts: bool = False
    """People may act, each with their own rights."""
    proxies: tuple[Network, ...] = ()
    """Where the proxies are that are believed; none is anywhere, if they show certificates."""
    proxy_certificates: bool = False
    """They show a certificate of the authority that `certificate` was told."""
    certificate: ServerCertificate | None = None
    """None is HTTP."""
    grafana: str = ""
    """Where Grafana is, which has our dashboard; "" is nowhere."""


@dataclass(frozen=True)
class Options:
    """As they are written on the command line."""

    mode: Mode = Mode.LOCAL
    actions: bool = False
    trusted_proxies: Sequence[str] = ()
    trusted_proxy_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    grafana_url: str = ""


def settings(listener: socket.socket, options: Options) -> PageSettings:
    """Raises `SettingsError` for what would show too much, or to nobody."""
    _check(options, loopback=_is_loopback(listener))
    return PageSettings(
        listener,
        options.mode,
        options.actions,
        tuple(map(_network, options.trusted_proxies)),
        options.trusted_proxy_ca is not None,
        _certificate(options),
        _grafana(options.grafana_url),
    )


def _check(options: Options, *, loopback: bool) -> None:
    mode, secured = options.mode, options.tls_cert is not None
    if mode is Mode.LOCAL and not loopback:
        raise SettingsError(f"{ADDRESS}: it is no loopback address, and in the mode local nobody is asked who they are")
    if mode is Mode.LOCAL and options.actions:
        raise SettingsError(f"{ACTIONS}: who acts must be known; set {MODE} to kubernetes or proxy")
    if mode is Mode.KUBERNETES and not (loopback or secured):
        raise SettingsError(f"{CERTIFICATE}: needed, so that tokens of people do not travel in plain text")
    if mode is Mode.PROXY:
        _check_proxy(options, readable=not (loopback or secured))
    elif options.trusted_proxies or options.trusted_proxy_ca:
        raise SettingsError(f"{PROXY}, {PROXY_AUTHORITY}: these are for {MODE}=proxy alone")
    if (options.tls_cert is None) != (options.tls_key is None):
        raise SettingsError(f"{CERTIFICATE}, {KEY}: each needs the other")


def _check_proxy(options: Options, *, readable: bool) -> None:
    if not (options.trusted_proxies or options.trusted_proxy_ca):
        raise SettingsError(f"{PROXY}: name where the proxy is, such as 10.0.0.0/8, or {PROXY_AUTHORITY}")
    if options.trusted_proxy_ca and options.tls_cert is None:
        raise SettingsError(f"{CERTIFICATE}: needed, since a proxy shows its certificate under TLS alone")
    if options.actions and readable:
        raise SettingsError(f"{CERTIFICATE}: needed with {ACTIONS}: the proxy passes on tokens of people")


def _network(text: str) -> Network:
    try:
        return parse_network(text)
    except ValueError as error:
        raise SettingsError(f"{PROXY}: {error}") from None


def _grafana(text: str) -> str:
    try:
        return parse_grafana(text) if text else ""
    except ValueError as error:
        raise SettingsError(f"{GRAFANA}: {error}") from None


def _certificate(options: Options) -> ServerCertificate | None:
    if options.tls_cert is None or options.tls_key is None:
        return None
    authority = options.trusted_proxy_ca
    try:
        return ServerCertificate(
            CertificateFiles(options.tls_cert, options.tls_key),
            CERTIFICATE,
            KEY,
            Clients(PROXY_AUTHORITY, authority) if authority else None,
        )
    except CertificateError as error:
        raise SettingsError(str(error)) from None


def _is_loopback(listener: socket.socket) -> bool:
    return ipaddress.ip_address(str(listener.getsockname()[0]).partition("%")[0]).is_loopback
