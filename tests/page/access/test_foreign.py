"""What somebody may not list is not there for them: not by name, number or link, and not by when something changes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest

from coder_enterprise.page import live
from tests.support.page import Shown
from tests.support.people import HTML, Browser, People
from tests.support.waiting import INTERVAL, TIMEOUT

PAGES = ("/", "/objects", "/objects?q=platform", "/objects?sort=namespace", "/journal", "/people?q=platform")


def _lasting(answer: httpx2.Response) -> str:
    """Without what changes by itself."""
    return re.sub(r'name="csrf" value="[^"]*"|<time.*?</time>', "", answer.text)


async def seen(browser: Browser, session: str) -> str:
    found = re.search(r'data-seen="([^"]+)"', (await browser.get("/objects", Cookie=session)).text)
    assert found
    return found[1]


@asynccontextmanager
async def listening(browser: Browser, session: str, number: str) -> AsyncIterator[AsyncIterator[str]]:
    """The lines of a stream."""
    headers = HTML | {"Cookie": session}
    async with browser.http.stream("GET", f"/live?seen={number}", headers=headers, timeout=TIMEOUT) as answer:
        assert answer.status_code == 200
        yield answer.aiter_lines()


async def test_no_page_names_a_foreign_namespace_or_what_is_in_it(
    browser: Browser, people: People, shown: Shown
) -> None:
    shown.put(
        "CoderTemplateACL",
        "acl-of-others",
        people.foreign.name,
        spec={"template": {"name": "x"}, "groups": [{"groupRef": {"name": "group-of-others"}, "role": "use"}]},
    )
    session = await browser.session(people.token("alice"))
    for path in (*PAGES, f"/objects?namespace={people.own.name}", f"/objects/codergroups/{people.own.name}/platform"):
        text = (await browser.get(path, Cookie=session)).text
        for foreign in (people.foreign.name, "group-of-others", "acl-of-others", "licence-of-others"):
            assert foreign not in text, (path, foreign)


async def test_who_sees_a_deployment_sees_nothing_of_the_foreign_objects_that_use_it(
    browser: Browser, people: People, shown: Shown
) -> None:
    people.add("grace")
    people.allow("grace", "list", of=["codergroups", "coderdeployments"])
    session = await browser.session(people.token("grace"))
    shown.deployment("coder", people.own.name)
    path = f"/objects/coderdeployments/{people.own.name}/coder"

    async def texts() -> list[str]:
        pages = [await browser.get(each, Cookie=session) for each in ("/", path, "/objects", "/people?q=ann")]
        return [_lasting(page) for page in pages]

    before = await texts()
    reference = {"deploymentRef": {"name": "coder", "namespace": people.own.name}}
    for number in range(3):
        members = {"members": {"users": ["ann"]}}
        shown.put("CoderGroup", f"user-of-mine-{number}", people.foreign.name, spec=reference | members)
    assert await texts() == before


async def test_what_is_hidden_is_answered_as_what_is_not_there(browser: Browser, people: People) -> None:
    session = await browser.session(people.token("alice"))
    hidden, absent = [
        await browser.get(f"/objects/codergroups/{people.foreign.name}/{name}", Cookie=session)
        for name in ("group-of-others", "nothing-at-all")
    ]
    assert hidden.status_code == absent.status_code == 404
    assert _lasting(hidden).replace("group-of-others", "") == _lasting(absent).replace("nothing-at-all", "")


async def test_a_foreign_change_changes_nothing_that_somebody_sees(
    browser: Browser, people: People, shown: Shown
) -> None:
    session = await browser.session(people.token("alice"))
    before = await seen(browser, session)
    shown.put("CoderGroup", "another-of-others", people.foreign.name)
    assert await seen(browser, session) == before
    shown.put("CoderGroup", "another-of-mine", people.own.name)
    assert await seen(browser, session) != before


async def test_a_stream_tells_of_no_foreign_change(
    browser: Browser, people: People, shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "BREATH", 0.01)
    session = await browser.session(people.token("alice"))
    async with listening(browser, session, await seen(browser, session)) as lines:
        heard = [await anext(lines) for _ in range(2)]
        shown.put("CoderGroup", "another-of-others", people.foreign.name)
        shown.put("CoderGroup", "another-of-mine", people.own.name)
        async with asyncio.timeout(TIMEOUT):
            while heard.count("event: changed") < 1:
                heard.append(await anext(lines))
    events = [line for line in heard if line.startswith("event:")]
    assert events == ["event: hello", "event: changed"]
    assert people.foreign.name not in "".join(heard)


async def test_a_stream_ends_when_the_session_does(
    browser: Browser, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "BREATH", 0.01)
    monkeypatch.setattr(live, "HEARTBEAT", 0.1)
    session = await browser.session(people.token("alice"))
    async with listening(browser, session, "") as lines:
        await anext(lines)
        await browser.post("/logout", session, csrf=await browser.csrf(session))
        async with asyncio.timeout(TIMEOUT):
            async for _ in lines:
                await asyncio.sleep(INTERVAL)
    assert (await browser.http.get("/live", headers={"Cookie": session})).status_code == 401


async def test_no_link_leads_to_what_somebody_may_not_see(browser: Browser, people: People, shown: Shown) -> None:
    reference = {"deploymentRef": {"name": "coder", "namespace": people.foreign.name}}
    shown.put("CoderGroup", "of-mine", people.own.name, spec=reference)
    path = f"/objects/codergroups/{people.own.name}/of-mine"
    text = (await browser.get(path, Cookie=await browser.session(people.token("alice")))).text
    assert f"{people.foreign.name}/coder" in text
    assert re.findall(rf'href="[^"]*{people.foreign.name}[^"]*"', text) == []
