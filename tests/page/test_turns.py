"""However many look at the page, the operator goes on with its work between any two of them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from aiohttp.web_protocol import RequestHandler

from coder_enterprise.page import lists
from coder_enterprise.page.turns import Turns
from tests.support.page import Served, Shown
from tests.support.waiting import wait_for

pytestmark = pytest.mark.asyncio

VIEWERS = 20


class Made:
    """How many pages were made in one step of the event loop, at most, and in all."""

    def __init__(self) -> None:
        self.in_one_step = self.in_all = self._in_this = 0

    def __call__(self, *_: Any) -> None:
        self._in_this += 1
        self.in_all += 1
        self.in_one_step = max(self.in_one_step, self._in_this)

    async def count_steps(self) -> None:
        while True:
            self._in_this = 0
            await asyncio.sleep(0)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    counting, find = Made(), lists.find

    def finding(*asked: Any) -> Any:
        counting()
        return find(*asked)

    monkeypatch.setattr(lists, "find", finding)
    return counting


async def ask(url: str, query: str = "") -> asyncio.StreamWriter:
    """Sends a request, and does not wait for the answer."""
    _, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    writer.write(f"GET /objects?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return writer


async def test_of_many_who_look_at_once_one_is_served_in_each_step(shown: Shown, made: Made) -> None:
    async with Served(shown) as url:
        counting = asyncio.create_task(made.count_steps())
        writers = await asyncio.gather(*(ask(url, f"q={number}") for number in range(VIEWERS)))
        await wait_for(lambda: made.in_all == VIEWERS, "all are answered")
        counting.cancel()
        with suppress(asyncio.CancelledError):
            await counting
        for writer in writers:
            writer.transport.abort()
    assert made.in_one_step == 1


async def test_no_page_is_made_for_who_has_left_while_they_waited(
    shown: Shown, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, left, opened = list[Turns](), list[RequestHandler](), asyncio.Event()

    async def take(turns: Turns) -> None:
        asked.append(turns)
        await opened.wait()

    monkeypatch.setattr(Turns, "take", take)
    lost = RequestHandler.connection_lost

    def losing(handler: RequestHandler, error: BaseException | None) -> None:
        left.append(handler)
        lost(handler, error)

    monkeypatch.setattr(RequestHandler, "connection_lost", losing)
    async with Served(shown) as url:
        gone = await ask(url)
        await wait_for(lambda: asked, "the request is there")
        gone.transport.abort()
        await wait_for(lambda: left, "its connection is not")
        opened.set()
        stays = await ask(url)
        await wait_for(lambda: made.in_all, "who stays is answered")
        stays.transport.abort()
    assert made.in_all == 1
