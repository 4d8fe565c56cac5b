"""The way from here to a Coder: its name, its certificate, and its clock. Standard library alone, in a thread."""

from __future__ import annotations

import asyncio
import http.client
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

from coder_enterprise.client import proxies
from coder_enterprise.oncall.doctor.findings import About, Finding

PATIENCE: Final = 10.0
EXPIRES_SOON: Final = 21
"""Days."""
SKEW: Final = 60.0
"""Seconds by which clocks may differ: tokens and licences are told their ends by them."""


async def network(about: About, url: str, ca_bundle: str) -> list[Finding]:
    """Never raises for what it finds."""
    proxy = proxies.proxy_for(url)
    if proxy is not None:
        return [about.ok("network", f"{url} goes through the proxy {proxy}: name and certificate are its affair")]
    return await asyncio.to_thread(lambda: list(_look(about, url, ca_bundle)))


def _look(about: About, url: str, ca_bundle: str) -> Iterator[Finding]:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = sorted({str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)})
    except OSError as error:
        yield about.failure("DNS", f"{host} has no address: {error.strerror or error}", "correct spec.url, or the DNS")
        return
    yield about.ok("DNS", f"{host} is {', '.join(found)}")
    try:
        certificate, date = _ask(parts.scheme, host, port, ca_bundle)
    except ssl.SSLCertVerificationError as error:
        step = "put the issuer's certificate into spec.caBundle or spec.caBundleSecretRef"
        yield about.failure("TLS", f"the certificate is not accepted: {error.verify_message}", step)
        return
    except (OSError, http.client.HTTPException) as error:
        step = "check that Coder runs, and what is between: network policies, firewalls"
        yield about.failure("connection", f"{host}:{port} does not answer from here: {error}", step)
        return
    if certificate:
        yield _expiry(about, certificate)
    yield _skew(about, date)


def _ask(scheme: str, host: str, port: int, ca_bundle: str) -> tuple[dict[str, Any], str]:
    """The server's certificate, {} without TLS, and what it says the time is."""
    connection: http.client.HTTPConnection
    if scheme == "https":
        context = ssl.create_default_context(cadata=ca_bundle or None)
        connection = http.client.HTTPSConnection(host, port, timeout=PATIENCE, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=PATIENCE)
    try:
        connection.connect()
        sock = connection.sock
        certificate = sock.getpeercert() if isinstance(sock, ssl.SSLSocket) else None
        connection.request("GET", "/api/v2/buildinfo")
        return dict(certificate or {}), connection.getresponse().headers.get("Date", "")
    finally:
        connection.close()


def _expiry(about: About, certificate: dict[str, Any]) -> Finding:
    end = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
    days = (end - datetime.now(UTC)).days
    text = f"the certificate is accepted, and valid for {days} more days"
    return about.warning("TLS", text, "renew it") if days < EXPIRES_SOON else about.ok("TLS", text)


def _skew(about: About, date: str) -> Finding:
    try:
        skew = (parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):
        return about.ok("clock", "the server does not tell the time")
    if abs(skew) > SKEW:
        return about.warning("clock", f"the server's clock is {skew:+.0f} s from this one", "synchronize both (NTP)")
    return about.ok("clock", "the server's clock and this one agree")
