"""CA bundles in the forms that people have them, and what is said of mistakes in addresses."""

from __future__ import annotations

import asyncio
import ssl
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from coder_enterprise.client import errors, tls
from tests.client.test_proxies import ask
from tests.support.endpoint import Endpoint
from tests.support.front import Certificate
from tests.support.waiting import wait_for

UMLAUTS = "# Ausgestellt für Müller & Söhne\n"
PRIVATE_KEY = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"


def text(raw: bytes) -> str:
    """As a Secret's value arrives that is no UTF-8."""
    return raw.decode(errors="surrogateescape")


FORMS: Final[dict[str, Callable[[str], str]]] = {
    "PEM": lambda pem: pem,
    "PEM with comments": lambda pem: f"{UMLAUTS}{pem}{UMLAUTS}",
    "PEM with a mark of byte order": lambda pem: "\ufeff" + pem,
    "PEM with the line ends of Windows": lambda pem: pem.replace("\n", "\r\n"),
    "PEM with a key": lambda pem: PRIVATE_KEY + pem,
    "PEM twice": lambda pem: pem + pem,
    "Latin-1": lambda pem: text((UMLAUTS + pem).encode("latin-1")),
    "UTF-16": lambda pem: text((UMLAUTS + pem).encode("utf-16")),
    "DER": lambda pem: text(ssl.PEM_cert_to_DER_cert(pem)),
}


@pytest.mark.parametrize("form", FORMS)
async def test_a_bundle_is_read_in_every_form_that_people_have(tmp_path: Path, form: str) -> None:
    certificate = Certificate(tmp_path)
    async with Endpoint(certificate=certificate) as coder:
        coder.says({"version": "v2.30.0"})
        assert await ask(coder.url, FORMS[form](certificate.pem)) == "v2.30.0"


@pytest.mark.parametrize(
    ("bundle", "said"),
    [
        ("nothing", "it has no -----BEGIN CERTIFICATE-----"),
        (PRIVATE_KEY, "it holds a private key"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "a certificate that cannot be read"),
        (text(b"\x30\x82\x01\x02\xff"), "a certificate that cannot be read"),
        (text(b"\xff\xfe\x00"), "it has no -----BEGIN CERTIFICATE-----"),
    ],
)
def test_what_is_no_bundle_is_said_in_words(bundle: str, said: str) -> None:
    with pytest.raises(errors.TLSFailed, match=rf"the CA bundle holds .*{said}; check spec\.caBundle"):
        tls.context(bundle)


async def test_a_context_is_made_once_for_each_bundle_and_not_kept_for_longer(tmp_path: Path) -> None:
    pem = Certificate(tmp_path).pem
    first = await tls.prepare(pem)
    same = [await tls.prepare(pem) is first, tls.context(pem) is first]
    other = tls.context(Certificate(tmp_path).pem) is first
    gone = weakref.ref(first)
    del first
    assert same == [True, True]
    assert not other
    await wait_for(lambda: gone() is None, "nobody keeps it")


async def test_to_make_a_context_does_not_hold_up_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(**_: object) -> ssl.SSLContext:
        loop.call_soon_threadsafe(begun.set)
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(10)
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    monkeypatch.setattr(ssl, "create_default_context", slow)
    monkeypatch.setattr(tls, "_contexts", {})
    making = asyncio.create_task(tls.prepare(""))
    await begun.wait()
    go_on.set()
    assert isinstance(await making, ssl.SSLContext)


async def test_https_where_http_is_spoken_is_said() -> None:
    async with Endpoint() as coder:
        url = coder.url.replace("http:", "https:")
        with pytest.raises(errors.TLSFailed, match=f"{url} speaks no TLS.*write http:// in spec.url"):
            await ask(url)


async def test_http_where_tls_is_spoken_is_said(tmp_path: Path) -> None:
    async with Endpoint(certificate=Certificate(tmp_path)) as coder:
        url = coder.url.replace("https:", "http:")
        with pytest.raises(errors.Unreachable, match=f"{url} .*if TLS is spoken there, write https:// in spec.url"):
            await ask(url)


@pytest.mark.parametrize(
    "words", ["Client sent an HTTP request to an HTTPS server.\n", "The plain HTTP request was sent to HTTPS port"]
)
async def test_http_to_a_server_that_says_what_it_speaks_is_said(words: str) -> None:
    async with Endpoint(400, words) as coder:
        with pytest.raises(errors.NotCoder, match=f"{coder.url} speaks TLS: write https:// in spec.url"):
            await ask(coder.url)


@pytest.mark.parametrize(("status", "body"), [(404, '{"message": "Route not found."}'), (200, "<html></html>")])
async def test_a_path_that_is_not_coders_is_named(status: int, body: str) -> None:
    async with Endpoint(status, body, content_type="application/json") as coder:
        with pytest.raises(errors.NotCoder, match=rf"spec\.url has the path /api/v2; .*write {coder.url}"):
            await ask(f"{coder.url}/api/v2")
