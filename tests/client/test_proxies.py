"""Which proxy a request goes through, and what is said when that proxy fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from coder_enterprise.client import errors
from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.http import ConnectionSettings
from coder_enterprise.client.proxies import ProxyUnusable, named, proxy_for
from tests.support.endpoint import Endpoint
from tests.support.forward_proxy import ForwardProxy
from tests.support.front import Certificate

CODER = "https://coder.example.com"
PROXY = "http://proxy:3128"


def chosen(url: str, **environment: str) -> str | None:
    proxy = proxy_for(url, environment)
    return proxy.url if proxy else None


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        ({}, CODER, None),
        ({"HTTPS_PROXY": PROXY}, CODER, PROXY),
        ({"https_proxy": PROXY}, CODER, PROXY),
        ({"HTTPS_PROXY": PROXY, "https_proxy": "http://other"}, CODER, PROXY),
        ({"HTTP_PROXY": PROXY}, CODER, None),
        ({"HTTP_PROXY": PROXY}, "http://coder.example.com", PROXY),
        ({"HTTPS_PROXY": PROXY}, "http://coder.example.com", None),
        ({"ALL_PROXY": PROXY}, CODER, PROXY),
        ({"all_proxy": PROXY}, "http://coder.example.com", PROXY),
        ({"ALL_PROXY": "http://other", "HTTPS_PROXY": PROXY}, CODER, PROXY),
        ({"HTTPS_PROXY": "proxy:3128"}, CODER, PROXY),
        ({"HTTPS_PROXY": " "}, CODER, None),
        ({"HTTPS_PROXY": "https://proxy"}, CODER, "https://proxy"),
    ],
)
def test_the_proxy_is_the_one_of_the_scheme_or_that_of_all(
    environment: dict[str, str], url: str, proxy: str | None
) -> None:
    assert chosen(url, **environment) == proxy


@pytest.mark.parametrize(
    ("no_proxy", "exempt", "proxied"),
    [
        ("", ["localhost", "127.0.0.1", "127.1.2.3", "[::1]", "[::ffff:127.0.0.1]"], ["coder.example.com"]),
        ("*", ["coder.example.com", "10.0.0.1"], []),
        ("a, *", ["coder.example.com"], []),
        ("example.com", ["example.com", "coder.example.com", "EXAMPLE.com", "example.com."], ["badexample.com"]),
        (".example.com", ["coder.example.com"], ["example.com", "badexample.com"]),
        ("*.example.com", ["coder.example.com", "a.b.example.com"], ["example.com"]),
        (" coder.example.com ,other", ["coder.example.com", "other"], ["example.com"]),
        ("example.com:443", ["coder.example.com", "coder.example.com:443"], ["coder.example.com:8443"]),
        ("example.com:8443", ["coder.example.com:8443"], ["coder.example.com"]),
        (".svc,.cluster.local", ["coder.coder.svc", "coder.coder.svc.cluster.local"], ["coder.coder"]),
        ("10.96.0.0/12", ["10.96.0.1", "10.100.1.2:6443"], ["10.112.0.1", "coder.example.com"]),
        ("10.96.0.5/12", ["10.96.0.1"], ["10.112.0.1"]),
        ("10.0.0.1", ["10.0.0.1", "10.0.0.1:8443", "[::ffff:10.0.0.1]"], ["10.0.0.2"]),
        ("10.0.0.1:8443", ["10.0.0.1:8443"], ["10.0.0.1"]),
        ("fd00::/8", ["[fd00::1]", "[fd12::1]:6443"], ["[2001:db8::1]"]),
        ("fd00::1", ["[fd00::1]", "[fd00:0::1]"], ["[fd00::2]"]),
        ("[fd00::1]", ["[fd00::1]"], ["[fd00::2]"]),
        ("[fd00::1]:6443", ["[fd00::1]:6443"], ["[fd00::1]"]),
        ("10.0.0.0/99,:443,,/,[", [], ["10.0.0.1", "coder.example.com"]),
        ("bücher.example", ["xn--bcher-kva.example", "a.xn--bcher-kva.example"], ["example"]),
    ],
)
def test_hosts_are_exempt_as_go_reads_no_proxy(no_proxy: str, exempt: list[str], proxied: list[str]) -> None:
    environment = {"HTTPS_PROXY": PROXY, "NO_PROXY": no_proxy}
    assert {host: chosen(f"https://{host}/", **environment) for host in exempt} == dict.fromkeys(exempt)
    assert {host: chosen(f"https://{host}/", **environment) for host in proxied} == dict.fromkeys(proxied, PROXY)


@pytest.mark.parametrize("value", ["socks5://user:secret@proxy:1080", "socks5h://proxy", "socks4://proxy"])
def test_socks_is_refused_in_words(value: str) -> None:
    with pytest.raises(ProxyUnusable, match=r"^HTTPS_PROXY names a SOCKS proxy, which is not supported"):
        proxy_for(CODER, {"HTTPS_PROXY": value})


@pytest.mark.parametrize("value", ["http://", "http://user:secret@", "ftp://user:secret@proxy", "http://proxy:secret"])
def test_what_is_no_proxy_is_refused_without_showing_it(value: str) -> None:
    with pytest.raises(ProxyUnusable, match=r"^ALL_PROXY names") as caught:
        proxy_for(CODER, {"ALL_PROXY": value})
    assert "secret" not in str(caught.value)


def test_a_proxy_shows_no_credentials() -> None:
    proxy = named("http://user:secret@proxy:3128", "HTTPS_PROXY")
    assert str(proxy) == "http://proxy:3128 of HTTPS_PROXY"
    assert "secret" not in repr(proxy)


async def ask(url: str, ca_bundle: str = "") -> str:
    """The version that Coder tells."""
    client = CoderClient(ConnectionSettings(url, "token", ca_bundle=ca_bundle))
    try:
        return (await client.server.build_info()).version
    finally:
        await client.close()


def port(url: str) -> int:
    return int(url.rpartition(":")[2])


async def test_http_goes_through_the_proxy_with_its_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Endpoint() as coder, ForwardProxy(port(coder.url), "user:pass word") as proxy:
        coder.says({"version": "v2.30.0"})
        monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("//", "//user:pass%20word@"))
        assert await ask("http://coder.example.com:3000") == "v2.30.0"
        assert proxy.asked == ["GET http://coder.example.com:3000/api/v2/buildinfo"]


async def test_https_goes_through_a_tunnel_and_the_name_of_coder_is_verified(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certificate = Certificate(tmp_path, "coder.example.com")
    async with Endpoint(certificate=certificate) as coder, ForwardProxy(port(coder.url)) as proxy:
        coder.says({"version": "v2.30.0"})
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        assert await ask("https://coder.example.com", certificate.pem) == "v2.30.0"
        assert proxy.asked == ["CONNECT coder.example.com:443"]
        with pytest.raises(errors.TLSFailed, match=r"other\.example\.com"):
            await ask("https://other.example.com", certificate.pem)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_wants_credentials_is_named_and_not_spec_url(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    async with ForwardProxy(1, "user:right") as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url.replace("//", "//user:secret@"))
        with pytest.raises(errors.Unreachable) as caught:
            await ask(f"{scheme}://coder.example.com")
    told = caught.value.message
    assert f"the proxy {proxy.url} of ALL_PROXY wants other credentials (407)" in told
    assert "secret" not in told
    assert "spec.url" not in told


async def test_a_proxy_that_refuses_the_tunnel_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async with ForwardProxy(1, refusal="403 Forbidden") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(errors.Unreachable, match=r"of HTTPS_PROXY does not connect to coder\.example\.com: 403"):
            await ask(CODER)


async def test_a_proxy_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    with pytest.raises(errors.Unreachable, match=r"the proxy http://127\.0\.0\.1:1 of HTTPS_PROXY cannot be reached"):
        await ask(CODER)


async def test_an_unusable_proxy_is_an_error_of_the_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://proxy:1080")
    with pytest.raises(errors.Unreachable, match="HTTPS_PROXY names a SOCKS proxy"):
        await ask(CODER)
