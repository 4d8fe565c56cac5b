"""What is told to those who look, as server-sent events."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import httpx2
import pytest

from coder_enterprise.kinds.machinery.causes import Cause
from coder_enterprise.kinds.machinery.resource import Key
from coder_enterprise.page import live
from coder_enterprise.page.live import Listener
from coder_enterprise.page.sight import Sight
from tests.support.page import Served, Shown
from tests.support.waiting import TIMEOUT

Events = AsyncIterator[tuple[str, str]]


@asynccontextmanager
async def listening(client: httpx2.AsyncClient, query: str = "", **headers: str) -> AsyncIterator[Events]:
    """The events of a stream, each with its name and its number."""

    async def read(answer: httpx2.Response) -> Events:
        number = ""
        async for line in answer.aiter_lines():
            if line.startswith("id: "):
                number = line.removeprefix("id: ")
            elif line.startswith("event: "):
                yield line.removeprefix("event: "), number

    async with client.stream("GET", f"/live?{query}", headers=headers, timeout=10) as answer:
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "text/event-stream"
        yield read(answer)


async def number(client: httpx2.AsyncClient) -> str:
    """What a page says that is read now."""
    found = re.search(r'data-seen="([^"]+)"', (await client.get("/")).text)
    assert found
    return found[1]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "BREATH", 0.0)


async def test_who_asks_for_the_head_of_a_stream_alone_is_answered_and_has_none(page: httpx2.AsyncClient) -> None:
    answer = await page.head("/live", timeout=TIMEOUT)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/event-stream")
    assert (await page.get("/", timeout=TIMEOUT)).status_code == 200


@pytest.mark.usefixtures("at_once")
async def test_a_change_is_told(shown: Shown, page: httpx2.AsyncClient) -> None:
    async with listening(page, f"seen={await number(page)}") as events:
        assert (await anext(events))[0] == "hello"
        shown.put("CoderGroup", "a")
        event, at = await anext(events)
        assert event == "changed"
    assert at == await number(page)


@pytest.mark.usefixtures("at_once")
async def test_what_changed_while_nobody_listened_is_told_at_once(shown: Shown, page: httpx2.AsyncClient) -> None:
    before = await number(page)
    shown.put("CoderGroup", "a")
    for query, headers in ((f"seen={before}", {}), ("", {"Last-Event-ID": before}), ("seen=of-another-process", {})):
        async with listening(page, query, **headers) as events:
            assert (await anext(events))[0] == "changed"
    now = await number(page)
    async with listening(page, f"seen={before}", **{"Last-Event-ID": now}) as events:
        assert (await anext(events))[0] == "hello"


@pytest.mark.usefixtures("at_once")
async def test_what_the_journal_says_anew_is_told(shown: Shown, page: httpx2.AsyncClient) -> None:
    key = shown.put("CoderGroup", "a").key
    async with listening(page, f"seen={await number(page)}") as events:
        await anext(events)
        entry = shown.journal.write(key, shown.deployment().key, Cause.DRIFT, ())
        assert (await anext(events))[0] == "changed"
        shown.journal.attribute(entry.number, "mallory")
        assert (await anext(events))[0] == "changed"


async def test_a_thousand_changes_are_one_event(shown: Shown, page: httpx2.AsyncClient) -> None:
    async with listening(page, f"seen={await number(page)}") as events:
        await anext(events)
        for _ in range(1000):
            shown.put("CoderGroup", "a")
        assert await anext(events) == ("changed", await number(page))


@pytest.mark.usefixtures("at_once")
async def test_a_page_of_one_object_hears_of_that_alone(
    shown: Shown, page: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "HEARTBEAT", 0.01)
    async with listening(page, f"seen={await number(page)}&about=CoderGroup/team/a") as events:
        await anext(events)
        shown.put("CoderGroup", "b")
        assert {(await anext(events))[0] for _ in range(3)} == {"beat"}
        shown.put("CoderGroup", "a")
        while (await anext(events))[0] == "beat":
            pass


@pytest.mark.usefixtures("at_once")
async def test_silence_has_signs_of_life(page: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "HEARTBEAT", 0.01)
    async with listening(page) as events:
        await anext(events)
        assert (await anext(events))[0] == "beat"


@pytest.mark.usefixtures("at_once")
async def test_who_does_not_read_is_let_go(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "STUCK", 0.05)
    monkeypatch.setattr(live, "HEARTBEAT", 0.01)
    served = Served(shown)
    served.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    async with served as url:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # or some hundred kilobytes must be sent first
        client.setblocking(False)
        await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", httpx2.URL(url).port))
        reader, writer = await asyncio.open_connection(sock=client, limit=1)
        writer.write(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await wait_for(shown, listeners=1)
        await wait_for(shown, listeners=0, meanwhile=True)
        assert not reader.at_eof()
        writer.close()


async def wait_for(shown: Shown, listeners: int, *, meanwhile: bool = False) -> None:
    """Until so many listen to the view."""
    async with asyncio.timeout(20):
        while len(shown.view._subscribers) != listeners:
            if meanwhile:
                shown.put("CoderGroup", "a")
            await asyncio.sleep(0)


async def test_nothing_is_told_to_anybody_when_nobody_listens(shown: Shown, page: httpx2.AsyncClient) -> None:
    async with listening(page) as events:
        await anext(events)
        assert len(shown.view._subscribers) == 1
    await wait_for(shown, listeners=0)


async def test_the_page_ends_although_somebody_listens(shown: Shown) -> None:
    served = Served(shown)
    url = await served.__aenter__()
    async with httpx2.AsyncClient(base_url=url, trust_env=False) as client, listening(client) as events:
        await anext(events)
        await served.__aexit__()
        assert [event async for event in events] == []


class Transport:
    def is_closing(self) -> bool:
        return False


async def test_of_what_somebody_may_not_see_they_hear_nothing() -> None:
    see = Sight({"CoderGroup": frozenset({"team"}), "CoderUser": None})
    listener = Listener(cast("asyncio.Transport", Transport()), see, frozenset())
    listener.tell(Key("CoderGroup", "other", "a"))
    listener.tell(Key("Secret", "team", "a"))
    assert not await listener.wait(0.01)
    listener.tell(Key("CoderGroup", "team", "a"))
    assert await listener.wait(0.01)
    assert not await listener.wait(0.01)
