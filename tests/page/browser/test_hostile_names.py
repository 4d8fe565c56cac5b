"""What comes from Coder and from users is text, whatever it says, and breaks neither the page nor what is beside it.

Each page is loaded once for all that is asked of it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import quote

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Dialog, Page, expect

from tests.support.browser import LINKS, OF_COLOURS, PHONE, WIDE, Visitor, visiting
from tests.support.page import TEAM, Served, Shown, condition

SCRIPT: Final = "<script>alert(1)</script><img src=x onerror=alert(2)>'\"><svg/onload=alert(3)>{{7*7}}"
BIDI: Final = "\u202e\u2066gnihtemos \u061c\u202d"
LONG: Final = "x" * 2000
NAMES: Final = {"script": SCRIPT, "bidirectional": BIDI, "long": LONG, "javascript": "javascript:alert(4)"}


def name_of(text: str) -> str:
    """What a path cannot have, no name has."""
    return re.sub(r"[/{}]", "", text)


def _paths() -> dict[str, str]:
    """Of all pages that somebody else's text is on."""
    paths = {"overview": "/", "objects": "/objects"}
    for what, text in NAMES.items():
        name = quote(name_of(text), safe="")
        paths[f"proxy {what}"] = f"/objects/coderworkspaceproxies/{name}/{name}"
        paths[f"group {what}"] = f"/objects/codergroups/{TEAM}/{name}"
    return paths


PATHS: Final = _paths()

pytestmark = pytest.mark.asyncio(loop_scope="session")


def put(shown: Shown, what: str, text: str) -> None:
    """In every place that somebody else fills."""
    name = name_of(text)
    told = {"version": text, "circuit": text, "url": text, "proxiesHealthy": text}
    proxy = {"url": text, "health": {"status": text, "errors": [text]}, "version": text, "id": text}
    replicas = [{"hostname": text, "region": text, "error": text}]
    shown.deployment(f"coder-{what}", status={**told, "replicas": replicas, "identity": text})
    shown.put("CoderDeployment", f"other-{what}", spec={"url": text, "tokenSecretRef": {"name": text}}, status=told)
    shown.put("CoderWorkspaceProxy", name, name, status=proxy, conditions=[condition("Ready", "False", text, text)])
    changes = [{"path": text, "from": text, "to": text}]
    drifted = [condition(reason="Planned", message=text), condition("Synced", "False", text, text)]
    spec = {"displayName": text, "members": {"users": [text]}, "deploymentRef": {"name": text}}
    shown.put("CoderGroup", name, spec=spec, status={"id": text, "pendingChanges": changes}, conditions=drifted)


@pytest.fixture(scope="module")
def shown() -> Shown:
    shown = Shown()
    for what, text in NAMES.items():
        put(shown, what, text)
    return shown


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def made_up(shown: Shown) -> AsyncIterator[str]:
    async with Served(shown) as url:
        yield url


class Opened:
    """A page that was opened, and which dialogs came up there."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.dialogs: list[str] = []
        visitor.page.on("dialog", self._dismiss)

    @property
    def page(self) -> Page:
        return self.visitor.page

    async def _dismiss(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        await dialog.dismiss()


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=list(PATHS.values()), ids=list(PATHS))
async def opened(request: pytest.FixtureRequest, browser: Browser, made_up: str) -> AsyncIterator[Opened]:
    async with visiting(browser) as visitor:
        opened = Opened(visitor)
        await visitor.page.goto(made_up + request.param)
        await expect(visitor.page.locator("h1")).to_be_visible()
        yield opened
        assert visitor.complaints == []


async def test_it_stays_text(opened: Opened) -> None:
    assert opened.dialogs == []
    assert await opened.page.locator("main :is(script, img, [onload])").count() == 0
    assert "/>49" not in await opened.page.locator("main").inner_text()


async def test_it_stays_in_its_place(opened: Opened) -> None:
    await opened.page.set_viewport_size(WIDE)
    assert await opened.visitor.violations(but=OF_COLOURS) == []
    assert await opened.visitor.overflow() == 0
    await opened.page.set_viewport_size(PHONE)
    assert await opened.visitor.overflow() == 0


async def test_no_link_leads_to_a_script_or_away(opened: Opened, made_up: str) -> None:
    links = await opened.page.locator("a").evaluate_all(LINKS)
    assert [link for link in links if not link.startswith((made_up, "https://coder.example.com"))] == []


@pytest.mark.parametrize("text", list(NAMES.values()), ids=list(NAMES))
async def test_a_hostile_name_can_be_opened(visitor: Visitor, made_up: str, text: str) -> None:
    await visitor.page.goto(f"{made_up}/objects?kind=CoderGroup")
    link = f'td.name a[href="/objects/codergroups/{TEAM}/{quote(name_of(text), safe="")}"]'
    await visitor.page.locator(link).focus()
    await visitor.page.keyboard.press("Enter")
    await expect(visitor.page.locator("h1")).to_contain_text(name_of(text))


async def test_what_is_searched_for_stays_text(visitor: Visitor, made_up: str) -> None:
    opened = Opened(visitor)
    await opened.page.goto(made_up)
    await opened.page.get_by_role("searchbox").fill(SCRIPT)
    await opened.page.keyboard.press("Enter")
    await expect(opened.page.locator("main")).to_contain_text(SCRIPT)
    assert opened.dialogs == []
