"""Who the client is: what proxies before the server tell, and what everybody may claim."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from starlette.types import Receive, Scope, Send

from coder_enterprise.server.routes.clients import ClientAddress, address_of
from coder_enterprise.server.settings import SettingsError, parse_trusted_proxies

TRUSTED = "10.0.0.0/8, fd00::/8"


async def client_of(
    peer: str, *headers: tuple[str, str], trusted: str = "X-Forwarded-For", origins: str = TRUSTED
) -> str:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(address_of(scope))

    encoded = [(name.lower().encode(), value.encode()) for name, value in headers]
    scope: Scope = {"type": "http", "client": (peer, 1), "headers": encoded}
    await ClientAddress(app, *parse_trusted_proxies(trusted, origins))(scope, None, None)  # type: ignore[arg-type]
    return seen[0]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.1", ["192.0.2.7"], "192.0.2.7"),
        ("10.0.0.1", ["192.0.2.7, 10.0.0.2"], "192.0.2.7"),
        ("10.0.0.1", ["192.0.2.7", "10.0.0.2"], "192.0.2.7"),
        ("10.0.0.1", ["198.51.100.1, 192.0.2.7"], "192.0.2.7"),
        ("10.0.0.1", ["nonsense, 192.0.2.7"], "192.0.2.7"),
        ("10.0.0.1", ["192.0.2.7, nonsense"], "10.0.0.1"),
        ("10.0.0.1", ["10.0.0.9, 10.0.0.2"], "10.0.0.9"),
        ("10.0.0.1", ["192.0.2.7:4711"], "192.0.2.7"),
        ("10.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("fd00::1", ["2001:db8::1"], "2001:db8::1"),
        ("::ffff:10.0.0.1", ["192.0.2.7"], "192.0.2.7"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("127.0.0.1", ["192.0.2.7"], "127.0.0.1"),
        ("192.0.2.9", ["192.0.2.7"], "192.0.2.9"),
    ],
)
async def test_the_client_is_the_last_one_that_is_no_trusted_proxy(
    peer: str, forwarded: Sequence[str], client: str
) -> None:
    assert await client_of(peer, *(("X-Forwarded-For", value) for value in forwarded)) == client


async def test_the_first_trusted_header_that_is_there_counts() -> None:
    headers = [("X-Forwarded-For", "192.0.2.1"), ("X-Real-Ip", "192.0.2.2")]
    assert await client_of("10.0.0.1", *headers, trusted="Cf-Connecting-Ip,X-Real-Ip,X-Forwarded-For") == "192.0.2.2"


async def test_no_header_is_believed_by_itself() -> None:
    headers = [("X-Forwarded-For", "192.0.2.1"), ("X-Real-Ip", "192.0.2.2")]
    assert await client_of("127.0.0.1", *headers, trusted="", origins="") == "127.0.0.1"


@pytest.mark.parametrize(
    ("headers", "origins", "cause"),
    [
        ("X-Forwarded-For", "", "set both"),
        ("", "10.0.0.0/8", "set both"),
        ("X Forwarded", "10.0.0.0/8", "'X Forwarded' is not a header"),
        ("X-Forwarded-For", "10.0.0.0/99", "'10.0.0.0/99' is not an address"),
    ],
)
def test_settings_that_are_of_no_use_are_refused(headers: str, origins: str, cause: str) -> None:
    with pytest.raises(SettingsError, match=cause):
        parse_trusted_proxies(headers, origins)
