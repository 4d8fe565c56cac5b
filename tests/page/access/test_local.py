"""The mode `local`: whoever is at this machine, and no site that their browser shows meanwhile."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import httpx2
import pytest

from coder_enterprise.page.access import headers
from tests.support.page import Served, Shown

HTML = {"Accept": "text/html"}


async def raw(url: str, request: bytes) -> bytes:
    """What is answered to these very bytes."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    writer.write(request)
    await writer.drain()
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8082", "127.0.0.1.evil.example", "localhost.evil.example", "localhost."]
)
async def test_a_site_whose_name_leads_to_this_machine_is_refused(
    shown: Shown, page: httpx2.AsyncClient, host: str
) -> None:
    shown.deployment("east")
    answer = await page.get("/", headers={"Host": host})
    assert answer.status_code == 403
    assert "east" not in answer.text


@pytest.mark.parametrize("host", ["localhost", "localhost:1234", "127.0.0.1:9", "[::1]", "[::1]:8082", "LOCALHOST:1"])
async def test_the_names_of_the_machine_itself_are_served(page: httpx2.AsyncClient, host: str) -> None:
    assert (await page.get("/", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize("lines", [b"", b"Host: localhost\r\nHost: localhost\r\n", b"Host: user@localhost\r\n"])
async def test_what_is_not_one_host_is_refused(shown: Shown, lines: bytes) -> None:
    async with Served(shown) as url:
        answer = await raw(url, b"GET / HTTP/1.1\r\n" + lines + b"Connection: close\r\n\r\n")
    assert status_of(answer) in {400, 403}


async def test_a_request_that_can_be_read_in_two_ways_is_refused(shown: Shown) -> None:
    both = b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"
    async with Served(shown) as url:
        answer = await raw(
            url, b"POST / HTTP/1.1\r\nHost: localhost\r\n" + both + b"\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n"
        )
    assert status_of(answer) == 400
    assert answer.count(b"HTTP/1.") == 1


@pytest.mark.parametrize("mode", ["cors", "no-cors", "websocket"])
async def test_another_site_cannot_read_it(page: httpx2.AsyncClient, mode: str) -> None:
    answer = await page.get("/", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": mode})
    assert answer.status_code == 403


async def test_another_site_can_link_to_it(page: httpx2.AsyncClient) -> None:
    answer = await page.get("/", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"})
    assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/", "/nowhere", "/static/page.css", "/static/nowhere"])
async def test_every_answer_says_what_a_browser_must_not_do(page: httpx2.AsyncClient, path: str) -> None:
    answer = await page.get(path, headers=HTML)
    assert {name: answer.headers.get(name) for name in headers.HEADERS} == headers.HEADERS
    assert "server" not in answer.headers
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


async def test_nothing_but_what_is_the_same_for_everybody_is_kept_by_a_browser(page: httpx2.AsyncClient) -> None:
    for path in ("/", "/nowhere", "/static/nowhere"):
        assert (await page.get(path)).headers["Cache-Control"] == "no-store"
    assert (await page.get("/static/page.css")).headers.get("Cache-Control") != "no-store"


@pytest.mark.parametrize(
    "path",
    ["/static/../rendering.py", "/static/%2e%2e/rendering.py", "/static/..%2frendering.py", "/static//etc/passwd"],
)
async def test_a_path_that_leaves_the_folder_of_static_files_finds_nothing(shown: Shown, path: str) -> None:
    async with Served(shown) as url:
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        answer = await raw(url, request.encode())
    assert status_of(answer) in {403, 404}
    assert b"jinja2" not in answer


async def test_long_headers_and_bodies_are_refused(shown: Shown) -> None:
    async with Served(shown) as url:
        long = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX: " + b"x" * 20_000 + b"\r\n\r\n"
        assert status_of(await raw(url, long)) == 400


async def test_nobody_has_to_sign_in(page: httpx2.AsyncClient) -> None:
    assert (await page.get("/login")).status_code == 404
