"""The mode `proxy`: a proxy that signs people in says who looks, and the page has no form for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import pytest
from aiohttp import ClientSession, web
from playwright.async_api import Browser, expect

from coder_enterprise.page.access.modes import Mode
from coder_enterprise.page.access.proxies import GROUPS, USER, parse_network
from tests.support.browser import visiting
from tests.support.page import Shown
from tests.support.people import People
from tests.support.signed_in import served

LOOPBACK: Final = (parse_network("127.0.0.1"),)
TEAM: Final = "browser-team"
HOP: Final = ("Connection", "Keep-Alive", "Transfer-Encoding", "Content-Length")

pytestmark = pytest.mark.asyncio(loop_scope="session")


@asynccontextmanager
async def naming(target: str, said: dict[str, str]) -> AsyncIterator[str]:
    """The URL of a proxy that passes everything on, with these headers in place of those that came."""

    async def pass_on(request: web.Request) -> web.StreamResponse:
        headers = {name: value for name, value in request.headers.items() if name not in (*HOP, *said)} | said
        body = await request.read()
        async with (
            ClientSession(auto_decompress=False) as http,
            http.request(
                request.method, target + request.raw_path, headers=headers, data=body, allow_redirects=False
            ) as answer,
        ):
            back = {name: value for name, value in answer.headers.items() if name not in HOP}
            response = web.StreamResponse(status=answer.status, headers=back)
            await response.prepare(request)
            async for data in answer.content.iter_any():
                await response.write(data)
            return response

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", pass_on)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


async def test_whom_a_trusted_proxy_names_sees_what_they_and_their_groups_may(
    browser: Browser, shown: Shown, people: People
) -> None:
    people.add("olga")
    people.allow("olga", "list")
    people.bind_group("olga", TEAM)
    shown.put("CoderGroup", "group-of-mine", people.own.name)
    shown.put("CoderGroup", "group-of-others", people.foreign.name)
    said = {USER: "erin@example.com", GROUPS: f"others,{TEAM}"}
    async with (
        served(shown, people, mode=Mode.PROXY, proxies=LOOPBACK) as url,
        naming(url, said) as proxy,
        visiting(browser) as visitor,
    ):
        page = visitor.page
        await page.goto(f"{proxy}/objects")
        await expect(page.locator(".who")).to_have_text("erin@example.com")
        await expect(page.locator("td.name")).to_have_text(["group-of-mine"], use_inner_text=True)
        assert await page.get_by_role("button", name="Sign out").count() == 0
        await expect(page.locator("#live")).to_have_text("live")
        shown.put("CoderGroup", "another-of-mine", people.own.name)
        await expect(page.locator("td.name")).to_have_count(2)
        assert visitor.complaints == []


async def test_whom_no_proxy_names_is_told_so(browser: Browser, shown: Shown, people: People) -> None:
    shown.put("CoderGroup", "group-of-mine", people.own.name)
    async with (
        served(shown, people, mode=Mode.PROXY, proxies=LOOPBACK) as url,
        visiting(browser) as visitor,
    ):
        await visitor.page.goto(url)
        await expect(visitor.page.locator("main")).to_contain_text("The proxy before this page names nobody.")
        assert await visitor.violations() == []
