"""What changes is seen without loading anything again; that a page is not up to date is seen, too."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.support.browser import Visitor
from tests.support.manifests import group
from tests.support.page import Shown, condition
from tests.support.relay import relay
from tools.scenery import Scenery

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Line:
    """Between the browser and the page, and can be cut."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._connections: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def join(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        assert self._server
        self._server.close()
        for writer in list(self._connections):
            writer.transport.abort()
        await self._server.wait_closed()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            there = await asyncio.open_connection(self._target.hostname, self._target.port)
            with contextlib.suppress(ExceptionGroup, OSError):
                await relay((reader, writer), there)
        finally:
            self._connections.discard(writer)
            writer.close()


@pytest_asyncio.fixture(loop_scope="session")
async def line(made_up: str) -> AsyncIterator[Line]:
    line = Line(made_up)
    await line.join()
    yield line
    await line.cut()


async def test_an_edit_in_kubernetes_is_seen(visitor: Visitor, scenery: Scenery) -> None:
    row = visitor.page.locator("tr[data-row]")
    await visitor.page.goto(f"{scenery.page}/objects?q=seen-live")
    await expect(visitor.page.get_by_text("Nothing matches.")).to_be_visible()
    made = group("seen-live", displayName="Live")
    made["metadata"]["namespace"] = scenery.home
    scenery.apply(made)
    await expect(row).to_contain_text("Applied")
    scenery.edit("codergroup", "seen-live", {"suspend": True})
    await expect(row).to_contain_text("Suspended")
    scenery.plane.kubectl("delete", "codergroup", "seen-live", "--namespace", scenery.home)
    await expect(visitor.page.get_by_text("Nothing matches.")).to_be_visible()


async def test_a_broken_stream_is_seen_and_heals(visitor: Visitor, line: Line, shown: Shown) -> None:
    visitor.expected = ("ERR_",)
    shown.deployment()
    await visitor.page.goto(line.url)
    mark = visitor.page.locator("#live")
    await expect(mark).to_have_text("live")
    await line.cut()
    await expect(mark).to_contain_text("not up to date")
    assert await visitor.violations() == []
    shown.put("CoderGroup", "missed", conditions=[condition("Ready", "False", "WaitingForGroup", "of the meantime")])
    await line.join()
    await expect(mark).to_have_text("live")
    await expect(visitor.page.locator("main")).to_contain_text("of the meantime")


async def test_what_somebody_types_is_not_taken_from_them(visitor: Visitor, made_up: str, shown: Shown) -> None:
    shown.deployment()
    await visitor.page.goto(f"{made_up}/objects")
    await visitor.page.keyboard.press("/")
    await visitor.page.keyboard.type("plat")
    shown.put("CoderGroup", "another")
    await expect(visitor.page.locator("main")).to_contain_text("another")
    await visitor.page.keyboard.type("form")
    await expect(visitor.page.get_by_role("searchbox")).to_have_value("platform")
